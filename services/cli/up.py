"""`zhiku up`: start everything on this machine, and keep it running until Ctrl-C."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from kbcore.errors import ConfigurationError, Unavailable
from kbcore.observability.logging import configure_logging
from kbcore.settings import Settings, child_environment, load_settings
from services.cli.invocation import zhiku_command
from services.cli.welcome import welcome
from services.supervisor.checks import before_start
from services.supervisor.folder import DataFolder
from services.supervisor.state import State
from services.supervisor.supervisor import Supervisor

_POLL_S = 0.1

out = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def command(
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is ready.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Load the sample company and show its answers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON (with --detach).")] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Start Zhiku: PostgreSQL, Redis, Milvus Lite, the API and a worker."""
    settings = load_settings()
    state = State.read(DataFolder(settings.home).state)
    if state and state.running:
        _already_running(state, detach=detach)
        return
    for check in before_start(settings):
        if not check.ok and check.fatal:
            raise ConfigurationError(f"{check}.")
        if not check.ok:
            errors.print(f"[yellow]note:[/yellow] {check}.")
    if detach:
        state = _start_detached(settings)
        if as_json:
            out.print_json(data={"url": state.url, "pid": state.supervisor.pid, "home": str(settings.home)})
        else:
            welcome(out, settings, state.addresses, demo=demo, detached=True, stop=threading.Event())
    else:
        _serve(settings, demo=demo, quiet=supervised)


def _already_running(state: State, *, detach: bool) -> None:
    words = f"Zhiku is already running at {state.url} (pid {state.supervisor.pid}); `{zhiku_command()} down` stops it"
    if not detach:
        raise ConfigurationError(f"{words}.")
    out.print(f"{words}.", soft_wrap=True)


def _serve(settings: Settings, *, demo: bool, quiet: bool) -> None:
    configure_logging(settings.log.level, json_lines=settings.log.json_lines)
    supervisor = Supervisor(settings)
    began = time.monotonic()
    with _stop_signals() as stop, out.status("starting") as spinner:

        def report(step: str) -> None:
            spinner.update(step)
            if quiet:
                sys.stderr.write(f"{step}\n")

        with supervisor.started(report):
            stop.interrupts = False
            spinner.stop()
            if not quiet:
                out.print(f"[green]✓[/green] everything is up after {time.monotonic() - began:.1f} s")
                show = threading.Thread(
                    target=welcome,
                    args=(out, settings, supervisor.addresses),
                    kwargs={"demo": demo, "detached": False, "stop": stop.event},
                    daemon=True,
                )
                show.start()  # beside the watch: a part that dies during the show is restarted
            supervisor.watch(stop.event)
            if not quiet:
                out.print("\nstopping …")
    if not quiet:
        out.print("[green]✓[/green] everything is stopped")


class _Stop:
    """The first SIGINT, SIGTERM or SIGHUP: breaks off a start, or ends the watch. Later ones change nothing."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.interrupts = True

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.event.is_set()
        self.event.set()
        if first and self.interrupts:
            raise KeyboardInterrupt


@contextmanager
def _stop_signals() -> Iterator[_Stop]:
    stop = _Stop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _start_detached(settings: Settings) -> State:
    """Start a supervisor in a session of its own; return when all its parts are ready."""
    folder = DataFolder(settings.home)
    folder.create()
    log = folder.log("supervisor")
    with log.open("ab") as stream:
        begin = stream.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "up", "--supervised"],
            env=child_environment(ZHIKU_HOME=str(settings.home)),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    with errors.status("starting") as spinner:
        while child.poll() is None:
            state = State.read(folder.state)
            if state and state.supervisor.pid == child.pid and state.phase == "ready":
                return state
            if state:
                spinner.update(f"starting {', '.join(state.children)}")
            time.sleep(_POLL_S)
    with log.open("rb") as stream:
        stream.seek(begin)
        lines = stream.read().decode(errors="replace").splitlines()
    reason = next((line for line in reversed(lines) if line.startswith("zhiku:")), f"see {log}")
    raise Unavailable(reason.removeprefix("zhiku:").strip())
