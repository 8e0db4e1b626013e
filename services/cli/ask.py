"""`zhiku ask`: a cited answer, or an honest "I don't know"."""

from typing import Annotated

import typer
from rich.console import Console

from services.cli.connect import (
    AsOfOption,
    AsOption,
    EffectiveOption,
    JsonOption,
    SpacesOption,
    connect,
    moment_of,
)
from services.cli.render import answer_view


def command(
    question: Annotated[str, typer.Argument(help="A question, Chinese or English.")],
    space: SpacesOption = None,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="Continue this conversation.")] = None,
    as_of: AsOfOption = None,
    effective_at: EffectiveOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents that you may read."""
    with connect(person) as client:
        answer = client.ask(
            question, spaces=space or None, conversation_id=conversation, moment=moment_of(as_of, effective_at)
        )
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    console.print(answer_view(answer))
    if answer.conversation_id:
        console.print(f"\n[dim]go on: zhiku ask --conversation {answer.conversation_id} …[/dim]", soft_wrap=True)
