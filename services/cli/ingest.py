"""`zhiku ingest`: files and folders into a space."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError
from services.cli.batch import Ended, Item, Outcome, ingest, summary
from services.cli.connect import AsOption, JsonOption, connect

COLOURS = {Ended.INDEXED: "green", Ended.UNCHANGED: "dim", Ended.SKIPPED: "yellow", Ended.FAILED: "red"}


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", exists=True, help="Files or folders (recursive).")],
    space: Annotated[str, typer.Option("--space", "-s", help="The space, by name or id.")] = "public",
    classification: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(level.word for level in Classification)}.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload documents and wait until they are indexed.

    A file's path, relative to the folder given, is its external id: running it again makes new versions of the files
    that have changed and does nothing for the others. Exit code 1 if any file failed.
    """
    fields = {"classification": classification} if classification else {}
    if tag:
        fields["tags"] = ",".join(tag)
    files = by_external_id(paths)
    items = [Item(file, name, space, {**fields, "external_id": name}) for name, file in files.items()]
    with connect(person) as client:
        outcomes = ingest(client, items, Console(stderr=True))
    _show(outcomes, as_json=as_json)
    if any(outcome.ended is Ended.FAILED for outcome in outcomes):
        raise typer.Exit(1)


def by_external_id(paths: Sequence[Path]) -> dict[str, Path]:
    """The files to ingest. Raises `ConfigurationError` if two of them would be the same document."""
    files: dict[str, Path] = {}
    for file, external_id in found_files(paths):
        if external_id in files:
            raise ConfigurationError(
                f"{files[external_id]} and {file} would both be the document {external_id!r}: "
                "give the folder that holds both, so that their paths differ"
            )
        files[external_id] = file
    return files


def found_files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every file with its external id, in a stable order. Hidden files and links inside folders are left out."""
    for path in paths:
        if path.is_file():
            yield path, path.name
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in sorted(names):
                file = Path(folder, name)
                if not name.startswith(".") and file.is_file() and not file.is_symlink():
                    yield file, file.relative_to(path).as_posix()


def _show(outcomes: list[Outcome], *, as_json: bool) -> None:
    if as_json:
        lines = [{"file": str(o.item.file), "outcome": o.ended, "reason": o.reason or None} for o in outcomes]
        typer.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for outcome in outcomes:
        console.print(f"{outcome.ended:<10}{outcome.item.label}", style=COLOURS[outcome.ended], end="")
        console.print(f"  {outcome.reason}" if outcome.reason else "")
    console.print(summary(outcomes), style="bold")
