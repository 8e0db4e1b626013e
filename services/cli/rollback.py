"""`zhiku rollback`: back to an older version of a document."""

from typing import Annotated

import typer
from rich.console import Console

from services.cli.batch import wait_for
from services.cli.connect import AsOption, DocumentArgument, JsonOption, SpaceOfDocumentOption, connect


def command(
    document: DocumentArgument,
    to: Annotated[int, typer.Argument(metavar="N", help="The number of the version to go back to.")],
    comment: Annotated[str | None, typer.Option(help="Why; shown in the history.")] = None,
    space: SpaceOfDocumentOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new version that equals version N, and wait until readers see it. Exit code 1 if it failed."""
    with connect(person) as client:
        made = client.roll_back(client.document_id(document, space), to, comment)
        waits = made.job_id is not None and not made.unchanged
        job = wait_for(client, made.job_id, Console(stderr=True)) if waits and made.job_id else None
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    elif made.unchanged:
        typer.echo(f"Readers see version {to} already.")
    elif job is not None:
        typer.echo(f"Version {made.version} equals version {to}: {job.state}.")
    if job is not None and job.state != "succeeded":
        raise typer.Exit(1)
