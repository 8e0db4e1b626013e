"""One child process: started in a session of its own, watched by pid and start time, stopped in bounded time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from kbcore.errors import Unavailable

_LAUNCH = Path(__file__).with_name("launch.py")
_POLL_S = 0.02


@dataclass(frozen=True)
class Part:
    """How one part of Zhiku is run. `ready` is asked until it says True; it must not block for long."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGTERM
    """Sent by the kernel when the supervisor dies (Linux)."""
    stop_timeout_s: float = 15.0
    start_timeout_s: float = 60.0
    poll_s: float = 0.02
    """How often `ready` is asked."""
    user: tuple[int, int] | None = None
    """uid and gid to change to; None keeps the caller's."""


@dataclass(frozen=True)
class ProcessId:
    """A process, told apart from a later one with the same pid by its start time (seconds since 1970)."""

    pid: int
    started: float

    def find(self) -> psutil.Process | None:
        """The process if it still runs."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started) > 1.0 or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return process

    def stop(self, number: signal.Signals, *, timeout_s: float) -> bool:
        """Send a signal, wait, then kill; True once the process is gone. `timeout_s` in seconds."""
        for attempt, patience in ((number, timeout_s), (signal.SIGKILL, 5.0)):
            process = self.find()
            if process is None:
                return True
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(attempt)
            deadline = time.monotonic() + patience
            # Not `Process.wait`: where nobody reaps orphans (a container's pid 1) a zombie would never end for it.
            while self.find() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        return self.find() is None


class Child:
    """A running `Part`. Start it from the main thread: Linux ties the death signal to the thread that forks."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part = part
        self.log = log
        self._popen = self._spawn()
        self.id = ProcessId(self._popen.pid, psutil.Process(self._popen.pid).create_time())

    def _spawn(self) -> subprocess.Popen[bytes]:
        uid, gid = self.part.user or (-1, -1)
        launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid())]
        command = [*launcher, str(int(self.part.death_signal)), str(uid), str(gid), "--", *self.part.command]
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603 (our own words)
                command,
                env=dict(self.part.environment),
                cwd="/" if self.part.user else None,  # another user may not enter ours
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    @property
    def running(self) -> bool:
        """False once the process has ended."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """As `subprocess`: negative = killed by that signal, None = still running."""
        return self._popen.poll()

    def wait_ready(self) -> None:
        """Return when the part answers. Raises `Unavailable` when it ends or takes too long; the log says why."""
        deadline = time.monotonic() + self.part.start_timeout_s
        while not self.part.ready():
            if not self.running:
                raise Unavailable(f"{self.part.name} ended at start (exit code {self.exit_code}); see {self.log}")
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{self.part.name} did not answer within {self.part.start_timeout_s:.0f} s; see {self.log}"
                )
            time.sleep(self.part.poll_s)

    def sweep(self) -> None:
        """Kill what the ended process started and left in its session."""
        for pid in psutil.pids():
            try:
                if pid != self.id.pid and os.getsid(pid) == self.id.pid:
                    os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    def stop(self) -> None:
        """Stop the process: its own signal, a bounded wait, then SIGKILL."""
        if self.running:
            self._popen.send_signal(self.part.stop_signal)
        try:
            self._popen.wait(self.part.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(5)
        self.sweep()
