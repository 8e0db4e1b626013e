"""Assemble: the numbered sources that a model sees."""

from collections.abc import Sequence

from kbcore.llm.interface import Source
from services.query.found import Ranked


def assemble(ranked: Sequence[Ranked]) -> list[Source]:
    """Sources numbered from 1, best first; the same text twice (two copies of a file) is given once."""
    distinct = {item.passage.text: item for item in reversed(ranked)}
    return [
        Source(
            number=number,
            title=item.passage.title,
            text=item.passage.text,
            heading=item.passage.heading,
            score=min(max(item.score, 0.0), 1.0),
            language=item.passage.language,
        )
        for number, item in enumerate(ranked, start=1)
        if distinct[item.passage.text] is item
    ]
