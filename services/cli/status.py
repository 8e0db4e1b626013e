"""`zhiku status`: what runs, since when, and whether it answers."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kbcore.settings import load_settings
from services.supervisor.health import Health, health


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show each part and its health; exit code 1 unless everything is ready."""
    out = Console(highlight=False)
    found = health(load_settings())
    if as_json:
        out.print_json(data=asdict(found))
    elif not found.url:
        out.print("Zhiku is not running; `zhiku up` starts it")
    else:
        out.print(_table(found))
        out.print(f"{'[green]ready[/green]' if found.ready else '[red]not ready[/red]'} at {found.url}")
    if not found.ready:
        raise typer.Exit(1)


def _table(found: Health) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("part", "state", "pid", "up", "memory", "restarts"):
        table.add_column(title, justify="left" if title in ("part", "state") else "right")
    for part in found.parts:
        state = "[green]answers[/green]" if part.answers else "[red]silent[/red]" if part.running else "[red]down[/red]"
        minutes, seconds = divmod(int(part.running_s), 60)
        memory = f"{part.memory_bytes / 1e6:.0f} MB"
        table.add_row(part.name, state, str(part.pid), f"{minutes}:{seconds:02}", memory, str(part.restarts))
    return table
