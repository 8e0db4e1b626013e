"""Starts the parts, keeps them running, stops them: the body of `zhiku up`."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import psutil
import structlog

from kbcore.errors import Unavailable, ZhikuError
from kbcore.settings import Settings
from services.supervisor.folder import DataFolder
from services.supervisor.local_model import PART, chosen_default, local_model_server
from services.supervisor.parts import Embedded, api_part, embedded_servers, local_url, worker_part
from services.supervisor.process import Child, Part, ProcessId
from services.supervisor.sockets import socket_folder
from services.supervisor.state import ChildState, Phase, State

_WATCH_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0  # a part that ran this long has earned a quick restart

log = structlog.get_logger(__name__)

Report = Callable[[str], None]
"""Called with a few words before each step of the start or the stop."""


@dataclass
class _Running:
    """A part under supervision. `prepare` is asked again before each restart."""

    prepare: Callable[[], Part]
    child: Child
    started: float = field(default_factory=time.monotonic)
    failures: int = 0
    restarts: int = 0
    restart_at: float | None = None


class Supervisor:
    """One run of Zhiku. Use it from the main thread: `with supervisor.started(report): supervisor.watch(stop)`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.home)
        self._embedded: Embedded | None = None
        self._model = local_model_server(settings)
        served = self._model.addresses if self._model else {}
        self._served = {**served, **chosen_default(settings, served)}
        self._running: dict[str, _Running] = {}
        me = psutil.Process(os.getpid())
        self._id = ProcessId(me.pid, me.create_time())

    @property
    def addresses(self) -> Mapping[str, str]:
        """The environment variables that name the embedded servers, and the local model with its key."""
        return {**(self._embedded.addresses if self._embedded else {}), **self._served}

    @contextlib.contextmanager
    def started(self, report: Report) -> Iterator[None]:
        """Everything is up inside the block, and stopped when it ends, however it ends."""
        self._folder.create()
        with self._folder.lock():
            self._stop_leftovers(report)
            try:
                self._start(report)
                self._write_state("ready")
                yield
            finally:
                self._stop(report)

    def watch(self, stop: threading.Event) -> None:
        """Restart what dies, until `stop` is set."""
        while not stop.wait(_WATCH_S):
            for name, running in self._running.items():
                self._tend(name, running)
            self._folder.rotate_logs()

    def _start(self, report: Report) -> None:
        self._embedded = embedded_servers(self._settings, self._folder)
        for name, server in self._embedded.servers.items():
            report(f"starting {name}")
            self._run(name, server.prepare)
        if "postgres" in self._running:
            self._running["postgres"].child.wait_ready()
        report("checking the database")
        self._migrate()
        if self._model:
            report(f"starting {PART}")
            self._run(PART, self._model.prepare)
        addresses = self.addresses
        for name, prepare in (("api", api_part), ("worker", worker_part)):
            report(f"starting {name}")
            self._run(name, partial(prepare, self._settings, addresses))
        for name, running in self._running.items():
            report(f"waiting for {name}")
            running.child.wait_ready()

    def _migrate(self) -> None:
        from kbcore.metadata.database import Database  # noqa: PLC0415 (SQLAlchemy loads while the servers start)
        from kbcore.metadata.migrate import upgrade  # noqa: PLC0415

        url = self.addresses.get("ZHIKU_DATABASE__URL") or self._settings.database.url.get_secret_value()
        database = Database(url, pool_size=1)
        try:
            upgrade(database)
        finally:
            database.dispose()

    def _run(self, name: str, prepare: Callable[[], Part]) -> None:
        self._running[name] = _Running(prepare, Child(prepare(), self._folder.log(name)))
        self._write_state("starting")

    def _tend(self, name: str, running: _Running) -> None:
        now = time.monotonic()
        if running.child.running:
            if now - running.started > _STEADY_S:
                running.failures = 0
            return
        if running.restart_at is None:
            pause = min(_LONGEST_PAUSE_S, 0.5 * 2**running.failures)
            log.warning("part ended", part=name, exit_code=running.child.exit_code, restart_in_s=pause)
            running.child.sweep()
            running.restart_at = now + pause
        elif now >= running.restart_at:
            running.restart_at = None
            running.failures += 1
            try:
                running.child = Child(running.prepare(), self._folder.log(name))
            except (ZhikuError, OSError) as error:
                log.error("part cannot be restarted", part=name, error=str(error))
                return
            running.started = now
            running.restarts += 1
            self._write_state("ready")

    def _stop(self, report: Report) -> None:
        if self._running:
            with contextlib.suppress(Unavailable):  # a full disk must not keep us from stopping
                self._write_state("stopping")
        for name, running in reversed(list(self._running.items())):
            report(f"stopping {name}")
            running.child.stop()
        self._running.clear()
        shutil.rmtree(socket_folder(self._folder.home), ignore_errors=True)
        self._folder.state.unlink(missing_ok=True)

    def _stop_leftovers(self, report: Report) -> None:
        """What a killed supervisor left behind, known by pid and start time."""
        if state := State.read(self._folder.state):
            for name in state.stop_children():
                report(f"stopped {name}, which an earlier run left behind")

    def _write_state(self, phase: Phase) -> None:
        children = {
            name: ChildState(running.child.id, int(running.child.part.stop_signal), running.restarts)
            for name, running in self._running.items()
        }
        try:
            State(self._id, local_url(self._settings), phase, children, self.addresses).write(self._folder.state)
        except OSError as error:
            raise Unavailable(f"{self._folder.state} can't be written ({error.strerror})") from None
