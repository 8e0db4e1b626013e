"""The show: the same questions asked as each person, the cited answers side by side."""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.cli.client import Client
from services.cli.render import place
from services.cli.responses import Answer, Citation
from services.cli.wrap import Wrapped
from services.demo.manifest import SampleQuestion


def show(url: str, keys: Mapping[str, str], questions: Sequence[SampleQuestion], console: Console) -> None:
    """Ask every question as everybody in `keys` (person → key) and print what each was told."""
    with ExitStack() as stack:
        clients = {person: stack.enter_context(Client(url, key)) for person, key in keys.items()}
        for number, question in enumerate(questions, start=1):
            with console.status(f"asking as {', '.join(clients)}"):
                answers = {person: client.ask(question.text) for person, client in clients.items()}
            console.print(
                Wrapped(Text.assemble((f"{number}. {question.text}", "bold"), (f"\n   {question.point}", "dim")))
            )
            console.print(Padding(side_by_side(answers), (0, 0, 1, 0)))


def side_by_side(answers: Mapping[str, Answer]) -> Table:
    """A column for each different answer, headed by those who got it; who gets none stands last."""
    columns: dict[object, list[str]] = {}
    for person, answer in answers.items():
        columns.setdefault(_sameness(answer), []).append(person)
    table = Table(expand=True, show_edge=False, pad_edge=False, header_style="cyan")
    shown = sorted(columns.values(), key=lambda people: answers[people[0]].abstained)
    for people in shown:
        table.add_column(", ".join(people), ratio=1, overflow="fold")
    table.add_row(*(_cell(answers[people[0]]) for people in shown))
    return table


def _sameness(answer: Answer) -> object:
    # "I don't know" names the titles nearest to the question, which differ by what one may read.
    return "abstained" if answer.abstained else (answer.answer, answer.citations)


def _cell(answer: Answer) -> RenderableType:
    if answer.abstained:
        return Wrapped(Text(_first_sentence(answer.answer), style="yellow"))
    return Group(Wrapped(Text(answer.answer)), *(_source(citation) for citation in answer.citations))


def _source(citation: Citation) -> Wrapped:
    place_of = place(citation.title, citation.version, citation.source)
    return Wrapped(Text.assemble((f"{citation.marker} ", "cyan"), place_of))


def _first_sentence(text: str) -> str:
    """Without the nearest titles, which differ from person to person in the same column."""
    return re.split(r"(?<=。)|(?<=\.)\s", text, maxsplit=1)[0]
