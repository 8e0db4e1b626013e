"""`zhiku jobs`: the long work, all of it or one piece."""

import json
from typing import Annotated

import typer
from rich.console import Console

from services.cli.connect import AsOption, JsonOption, connect
from services.cli.render import job_line


def command(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One job; without it the newest ones.")] = None,
    state: Annotated[
        str | None, typer.Option(help="Only queued, running, succeeded, failed or cancelled ones.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show jobs: what runs, how far it is, why it failed. Exit code 1 if the one asked for has failed."""
    with connect(person) as client:
        jobs = [client.job(job_id)] if job_id else client.jobs(state=state, limit=limit)
    if as_json:
        shown = [job.model_dump(mode="json") for job in jobs]
        typer.echo(json.dumps(shown[0] if job_id else shown, ensure_ascii=False, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for job in jobs:
            console.print(job_line(job))
        if not jobs:
            console.print("No jobs.")
    if job_id and jobs[0].state == "failed":
        raise typer.Exit(1)
