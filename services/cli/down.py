"""`zhiku down`: stop everything cleanly."""

import signal
from typing import Annotated

import typer
from rich.console import Console

from kbcore.errors import Unavailable
from kbcore.settings import load_settings
from services.supervisor.folder import DataFolder
from services.supervisor.state import State

_PATIENCE_S = 150.0  # the parts' own bounds, added up, and some room


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Stop a running Zhiku, and what a killed one left behind."""
    out = Console(highlight=False)
    folder = DataFolder(load_settings().home)
    state = State.read(folder.state)
    stopped: list[str] = []
    if state and state.running:
        stopped = list(state.children)
        with out.status("stopping"):
            gone = state.supervisor.stop(signal.SIGTERM, timeout_s=_PATIENCE_S)
        if not gone:
            raise Unavailable(f"pid {state.supervisor.pid} doesn't end; see {folder.log('supervisor')}")
    if state:
        stopped += [name for name in state.stop_children() if name not in stopped]
        folder.state.unlink(missing_ok=True)
    if as_json:
        out.print_json(data={"stopped": stopped})
    else:
        out.print(f"[green]✓[/green] stopped {', '.join(stopped)}" if stopped else "Zhiku is not running")
