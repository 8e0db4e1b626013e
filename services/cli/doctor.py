"""`zhiku doctor`: look at everything that can be wrong on this machine, and say what to do about it."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kbcore.errors import ZhikuError
from kbcore.settings import Settings, child_environment, load_settings
from services.supervisor.checks import Check, before_start
from services.supervisor.folder import DataFolder
from services.supervisor.health import health
from services.supervisor.state import State


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check Python, disk, memory, port, servers and the index; exit code 1 if something needs you."""
    out = Console(highlight=False)
    settings = load_settings()
    checks = examine(settings)
    if as_json:
        out.print_json(data=[asdict(check) for check in checks])
    for check in () if as_json else checks:
        mark = "[green]✓[/green]" if check.ok else "[red]✗[/red]" if check.fatal else "[yellow]![/yellow]"
        out.print(f"{mark} {check.name:<10} {escape(check.detail)}", soft_wrap=True)
        if check.remedy:
            out.print(f"{'':<13}→ {escape(check.remedy)}", soft_wrap=True)
    if any(not check.ok and check.fatal for check in checks):
        raise typer.Exit(1)


def examine(settings: Settings) -> list[Check]:
    """What makes sense now: without a running Zhiku, whether it could start; with one, whether it is well."""
    state = State.read(DataFolder(settings.home).state)
    if state is None or not state.running:
        return [*before_start(settings), _leftovers(state)]
    checks = [check for check in before_start(settings) if check.name != "port"]
    found = health(settings)
    for part in found.parts:
        detail = f"pid {part.pid}, {part.memory_bytes / 1e6:.0f} MB, restarted {part.restarts} times"
        log = DataFolder(settings.home).log(part.name)
        checks.append(Check(part.name, part.answers, detail, "" if part.answers else f"It does not answer; see {log}"))
    checks.append(_index(load_settings(child_environment(**state.addresses))))
    return checks


def _leftovers(state: State | None) -> Check:
    left = [name for name, child in state.children.items() if child.process.find()] if state else []
    if left:
        detail = f"still running after a killed supervisor: {', '.join(left)}"
        return Check("processes", False, detail, "`zhiku down` stops them; so does the next `zhiku up`")
    return Check("processes", True, "nothing is left from an earlier run")


def _index(settings: Settings) -> Check:
    """As many rows in Milvus as SQL says."""
    from kbcore.bootstrap import Platform  # noqa: PLC0415 (heavy, and only needed here)
    from kbcore.metadata import generations, index_rows  # noqa: PLC0415

    platform = Platform(settings)
    try:
        with platform.database.begin() as connection:
            generation = generations.live(connection)
            expected = index_rows.count(connection, generation.id) if generation else 0
        if generation is None:
            return Check("index", True, "no index yet: nothing has been ingested")
        rows = platform.vectors.count(generation.collection)
    except ZhikuError as error:
        return Check("index", False, error.detail, "`zhiku status` shows which server is silent")
    finally:
        platform.close()
    remedy = (
        ""
        if rows == expected
        else "Restart with `zhiku down` and `zhiku up`: the worker repairs the index at its start"
    )
    return Check("index", rows == expected, f"{rows} rows in Milvus, {expected} in SQL", remedy)
