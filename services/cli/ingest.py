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
from services.cli.sync import Action, Step, carry_out, plan
from services.cli.sync import summary as sync_summary

STEP_COLOURS = {
    Action.NEW: "green",
    Action.CHANGED: "green",
    Action.MOVED: "cyan",
    Action.DELETED: "yellow",
    Action.FAILED: "red",
}
COLOURS = {Ended.INDEXED: "green", Ended.UNCHANGED: "dim", Ended.SKIPPED: "yellow", Ended.FAILED: "red"}


def command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", exists=True, help="Files or folders (recursive).")],
    space: Annotated[str, typer.Option("--space", "-s", help="The space, by name or id.")] = "public",
    classification: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(level.word for level in Classification)}.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    keep_in_step: Annotated[
        bool, typer.Option("--sync", help="Keep the space in step with one folder: moves and deletions too.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="With --sync: what the folder is called; its full path if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="With --sync: only say what would be done.")] = False,
    allow_empty: Annotated[bool, typer.Option(help="With --sync: an empty folder deletes every document.")] = False,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Upload documents and wait until they are indexed.

    A file's path, relative to the folder given, is its external id: running it again makes new versions of the files
    that have changed and does nothing for the others. With --sync, a file that has moved keeps its history, and a
    document whose file is gone is deleted, if it came from this source. Exit code 1 if any file failed.
    """
    fields = {"classification": classification} if classification else {}
    if tag:
        fields["tags"] = ",".join(tag)
    files = by_external_id(paths)
    if keep_in_step:
        folder = _folder(paths)
        name = source or str(folder.resolve())
        with connect(person) as client:
            steps = plan(files, client.documents(space), name, allow_empty=allow_empty)
            if not dry_run:
                steps = carry_out(client, steps, space, name, fields, Console(stderr=True))
        _show_steps(steps, space, name, dry_run=dry_run, as_json=as_json)
        failed = any(step.action is Action.FAILED for step in steps)
    else:
        if source or dry_run or allow_empty:
            raise ConfigurationError("--source, --dry-run and --allow-empty belong to --sync")
        items = [Item(file, label, space, {**fields, "external_id": label}) for label, file in files.items()]
        with connect(person) as client:
            outcomes = ingest(client, items, Console(stderr=True))
        _show(outcomes, as_json=as_json)
        failed = any(outcome.ended is Ended.FAILED for outcome in outcomes)
    if failed:
        raise typer.Exit(1)


def _folder(paths: Sequence[Path]) -> Path:
    if len(paths) != 1 or not paths[0].is_dir():
        raise ConfigurationError("--sync takes one folder")
    return paths[0]


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


def _show_steps(steps: list[Step], space: str, source: str, *, dry_run: bool, as_json: bool) -> None:
    counts = sync_summary(steps)
    if as_json:
        items = [step.shown() for step in steps]
        shown = {"space": space, "source": source, "dry_run": dry_run, "items": items, "summary": counts}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for step in steps:
        if step.action is not Action.UNCHANGED:
            origin = f"  (was {step.moved_from})" if step.moved_from else ""
            reason = f"  {step.reason}" if step.reason else ""
            console.print(f"{step.action.value:<10}{step.external_id}{origin}{reason}", style=STEP_COLOURS[step.action])
    told = ", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do"
    console.print(f"{told} (nothing was done: --dry-run)" if dry_run else told, style="bold")
