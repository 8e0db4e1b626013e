"""`zhiku erase DOCUMENT`: remove a document everywhere, and keep the proof."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.connect import AsOption, DocumentArgument, JsonOption, SpaceOfDocumentOption, connect


def command(
    document: DocumentArgument,
    reason: Annotated[str, typer.Option(help="Why; kept with the erasure.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the certificate to this file.")] = None,
    space: SpaceOfDocumentOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a document for good: bytes, texts, vectors, quotes in conversations. Prints a signed certificate.

    One that you may not read is named by its id.
    """
    if not yes:
        typer.confirm(f"Erase {document} everywhere? There is no way back", abort=True)
    with connect(person) as client:
        certificate = client.erase(client.document_id(document, space), reason)
    text = json.dumps(certificate, ensure_ascii=False, indent=2)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
        return
    console = Console(highlight=False, soft_wrap=True)
    removed = ", ".join(f"{count} {what}" for what, count in certificate["removed"].items() if count)
    console.print(f"[green]erased[/green] {document}: {removed}")
    for item in certificate["kept"]:
        console.print(f"  kept: {item['count']} {item['what']} ({item['why']})")
    console.print(f"  {len(certificate['probes'])} places searched afterwards, nothing found")
    if out is None:
        console.print(f"  the certificate: GET /v1/erasures/{certificate['erasure_id']}, or --out FILE next time")
