"""A small model gets the sentences around the best quotes instead of whole passages: it reads slowly."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Protocol

from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt, Source
from kbcore.llm.prompt import estimate_tokens
from kbcore.llm.quotable import Quote
from kbcore.llm.ranking import Ranker, ranked
from kbcore.llm.wrapped import WrappedModel

ROOM = 400
"""Tokens (estimated) of source text that are given."""
_GAP = " … "


class Judged(Protocol):
    """A quote in its place, best first."""

    @property
    def quote(self) -> Quote:
        """Which characters of which source."""


class SentencesOnly(WrappedModel):
    """`AnswerModel` that passes on what another one says to a question about fewer, shorter sources.

    Numbers of sources stay, so markers mean what they meant; what is said is verified against the whole passages.
    """

    def __init__(self, model: AnswerModel, ranker: Ranker[Judged]) -> None:
        super().__init__(model)
        self._ranker = ranker

    def prompt(self, request: AnswerRequest) -> Prompt:
        """See `AnswerModel.prompt`."""
        return self._model.prompt(self._narrowed(request))

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """See `AnswerModel.answer`."""
        yield from self._model.answer(self._narrowed(request))

    def _narrowed(self, request: AnswerRequest) -> AnswerRequest:
        fewer = shortened([each.quote for each in ranked(self._ranker, request)])
        return replace(request, sources=fewer or request.sources[:1])


def shortened(quotes: Sequence[Quote], room: int = ROOM) -> list[Source]:
    """The sources of the best quotes, each cut to these and put in its own order, as many as `room` tokens hold."""
    spans: dict[int, list[tuple[int, int]]] = {}
    sources: dict[int, Source] = {}
    for quote in quotes:
        number = quote.source.number
        room -= estimate_tokens(quote.text) if _is_new(quote, spans.get(number, ())) else 0
        if room < 0 and spans:
            break
        spans.setdefault(number, []).append((quote.start, quote.end))
        sources[number] = quote.source
    return [replace(source, text=_cut(source.text, spans[number])) for number, source in sources.items()]


def _is_new(quote: Quote, taken: Sequence[tuple[int, int]]) -> bool:
    return not any(start <= quote.start and quote.end <= end for start, end in taken)


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The characters in any of the spans, a gap marked where some between are missing."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return _GAP.join(text[start:end] for start, end in joined)
