"""`zhiku search`: the passages that a question finds."""

from enum import StrEnum
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
from services.cli.render import hit_view


class Mode(StrEnum):
    """Which legs search."""

    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"


def command(
    query: Annotated[str, typer.Argument(help="A question or keywords, Chinese or English.")],
    space: SpacesOption = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="How many passages.")] = 5,
    mode: Annotated[Mode, typer.Option(help="Both legs, vectors only, or keywords only.")] = Mode.HYBRID,
    as_of: AsOfOption = None,
    effective_at: EffectiveOption = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find passages that you may read."""
    with connect(person) as client:
        found = client.search(
            query, top_k=top_k, mode=mode.value, spaces=space or None, moment=moment_of(as_of, effective_at)
        )
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    if not found.results:
        console.print("Nothing found that you may read.")
    for number, hit in enumerate(found.results, start=1):
        console.print(hit_view(number, hit))
    console.print(f"[dim]{len(found.results)} passages in {found.took_ms['total']:.0f} ms[/dim]")
