"""`zhiku diff`: what changed between two versions of a document."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from services.cli.connect import AsOption, DocumentArgument, JsonOption, SpaceOfDocumentOption, connect
from services.cli.responses import Change

MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow"), "moved": (">", "cyan")}


def command(
    document: DocumentArgument,
    before: Annotated[int, typer.Argument(metavar="A", help="The number of a version.")],
    after: Annotated[int, typer.Argument(metavar="B", help="The number of the version to compare it with.")],
    space: SpaceOfDocumentOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was added (+), removed (-), changed (~) and moved (>), passage by passage."""
    with connect(person) as client:
        found = client.diff(client.document_id(document, space), before, after)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for change in found.changes:
        console.print(_lines(change))
    console.print(Text(", ".join(f"{count} {kind}" for kind, count in found.summary.items() if count), style="bold"))


def _lines(change: Change) -> Text:
    mark, style = MARKS[change.kind]
    place = change.after or change.before
    heading = " > ".join(place.heading) if place else ""
    lines = Text(f"{mark} {heading}\n" if heading else f"{mark}\n", style="dim")
    if change.kind == "moved":
        return lines.append(change.after.text if change.after else "", style=style)
    if change.before:
        lines.append(f"- {change.before.text}" + ("\n" if change.after else ""), style="red")
    if change.after:
        lines.append(f"+ {change.after.text}", style="green")
    return lines
