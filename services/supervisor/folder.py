"""The data folder of one Zhiku: its layout, its lock, its log files."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kbcore.errors import ConfigurationError, Conflict

LOG_BYTES = 10_000_000
"""A log larger than this becomes `<name>.log.1`."""


class DataFolder:
    """`$ZHIKU_HOME`: `postgres/ redis/ milvus/ blobs/ logs/ run/`, all private to this user."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.logs = home / "logs"
        self.state = self.run / "state.json"

    def create(self) -> None:
        """Make the folders. Raises `ConfigurationError` when that is impossible."""
        # Under root PostgreSQL runs as another user, who has to pass through the top folder; the rest stays closed.
        top = 0o711 if os.geteuid() == 0 else 0o700
        try:
            for folder, mode in ((self.home, top), (self.run, 0o700), (self.logs, 0o700)):
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise ConfigurationError(
                f"the data folder {self.home} can't be used ({error.strerror}); set ZHIKU_HOME to a folder of yours"
            ) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for the block, or raise `Conflict`. The kernel frees it when the process dies."""
        descriptor = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"Zhiku is already running in {self.home}") from None
            yield
        finally:
            os.close(descriptor)

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.logs / f"{part}.log"

    def rotate_logs(self) -> None:
        """Move what is in large logs to `.1`. The writers append, so they go on in the emptied file."""
        for log in self.logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)
