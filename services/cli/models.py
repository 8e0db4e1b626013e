"""`zhiku models`: language models that run on this machine: list, add, remove, choose."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from kbcore.errors import ConfigurationError
from kbcore.settings import load_settings
from services.cli.invocation import zhiku_command
from services.local_models import fetch as fetching
from services.local_models import library, registry
from services.supervisor.health import PartHealth, health
from services.supervisor.local_model import PART


class Action(StrEnum):
    """What to do."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"
    STATUS = "status"
    USE = "use"


def command(
    action: Annotated[Action, typer.Argument(help="Without one: list.")] = Action.LIST,
    name: Annotated[str, typer.Argument(help="The model; `extractive` (quotes) can be used, too.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Local models: list them, add (fetch) or remove one, use one by default, see whether it runs (status).

    Experimental: what they write is checked against the documents, and the documents' own sentences stand below it.
    """
    home = load_settings().home
    out = Console(highlight=False, soft_wrap=True)
    if action in (Action.ADD, Action.REMOVE, Action.USE) and not name:
        raise ConfigurationError(f"name the model: zhiku models {action.value} local-qwen")
    match action:
        case Action.LIST:
            _list(out, home, as_json=as_json)
        case Action.STATUS:
            _status(out, home, as_json=as_json)
        case Action.ADD:
            _add(out, home, name, as_json=as_json)
        case Action.REMOVE:
            found = library.remove(home, name)
            _say(out, {"name": name, "removed": found}, "is removed" if found else "was not here", as_json=as_json)
        case Action.USE:
            library.use(home, name)
            words = f"answers questions that name no model, from the next `{zhiku_command()} up` on"
            _say(out, {"name": name, "default": True}, words, as_json=as_json)


def _list(out: Console, home: Path, *, as_json: bool) -> None:
    entries = library.entries(home)
    if as_json:
        out.print_json(data=[asdict(entry) for entry in entries])
        return
    for entry in entries:
        state = "added" if entry.added else "not added"
        chosen = ", the default here" if entry.default else ""
        out.print(f"{entry.name}  {entry.title}  {entry.bytes / 1e9:.1f} GB  experimental  {state}{chosen}")
        out.print(f"  [dim]{escape(entry.licence)}[/dim]")


def _add(out: Console, home: Path, name: str, *, as_json: bool) -> None:
    with _bars(quiet=as_json) as (fetched, assembled):
        file = library.add(home, name, fetched, assembled)
    missing = library.runtime_missing()
    remedy = f"{shlex.quote(sys.executable)} -m pip install {missing}" if missing else ""
    if as_json:
        out.print_json(data={"name": name, "file": str(file), "to_install": missing})
        return
    out.print(f"[green]✓[/green] {name} is in {escape(str(file))}: length and SHA-256 are the published ones")
    if remedy:
        out.print(f"What runs it is missing; install it:\n  {escape(remedy)}")
    out.print(
        f"It starts with the next `{zhiku_command()} up`; `{zhiku_command()} models use {name}` makes it the default."
    )


def _status(out: Console, home: Path, *, as_json: bool) -> None:
    """Exit code 1 unless a model is added, can be started, and answers."""
    offer, missing = registry.installed(home), library.runtime_missing()
    part = next((each for each in health(load_settings()).parts if each.name == PART), None)
    if as_json:
        found = {
            "model": offer.name if offer else None,
            "to_install": missing,
            "process": asdict(part) if part else None,
        }
        typer.echo(json.dumps(found))
    elif offer is None:
        out.print(f"no local model is here; `{zhiku_command()} models add local-qwen` fetches one")
    else:
        out.print(f"{offer.name}: {_running(part, missing)}")
    if part is None or not part.answers:
        raise typer.Exit(1)


def _running(part: PartHealth | None, missing: str | None) -> str:
    if part is None:
        return f"not running; install {missing}" if missing else f"not running; `{zhiku_command()} up` starts it"
    state = "answers" if part.answers else "starting or silent" if part.running else "down, to be restarted"
    return f"{state}, pid {part.pid}, {part.memory_bytes / 1e6:.0f} MB, restarted {part.restarts} times"


def _say(out: Console, data: dict[str, object], words: str, *, as_json: bool) -> None:
    if as_json:
        out.print_json(data=data)
    else:
        out.print(f"[green]✓[/green] {data['name']} {words}")


@contextmanager
def _bars(*, quiet: bool) -> Iterator[tuple[fetching.Progress, fetching.Progress]]:
    """Two bars: packages fetched, bytes put together and checked."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bars:
        fetch_bar, assemble_bar = bars.add_task("fetching"), bars.add_task("checking", start=False)

        def fetched(done: int, total: int) -> None:
            bars.update(fetch_bar, completed=done, total=total)

        def assembled(done: int, total: int) -> None:
            bars.start_task(assemble_bar)
            bars.update(assemble_bar, completed=done, total=total)

        yield fetched, assembled
