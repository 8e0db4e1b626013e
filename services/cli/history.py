"""`zhiku history`: the versions of a document."""

import json

import typer
from rich.console import Console
from rich.table import Table

from services.cli.connect import AsOption, DocumentArgument, JsonOption, SpaceOfDocumentOption, connect


def command(
    document: DocumentArgument,
    space: SpaceOfDocumentOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who made which version of a document, when, how and why; newest first, * is what readers see."""
    with connect(person) as client:
        versions = client.history(client.document_id(document, space))
    if as_json:
        shown = [version.model_dump(mode="json") for version in versions]
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    table = Table("", "version", "state", "origin", "when", "who", "title", "why", box=None)
    for version in versions:
        origin = version.origin if version.based_on is None else f"{version.origin} of {version.based_on}"
        when = f"{version.created_at:%Y-%m-%d %H:%M}"
        about = (version.state, origin, when, version.created_by, version.title, version.comment or "")
        table.add_row("*" if version.current else "", str(version.number), *about)
    Console(highlight=False, markup=False).print(table)
