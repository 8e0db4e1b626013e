"""The default answer: the sentences that answer best, quoted word for word. Needs no model, invents nothing."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kbcore.language.overlap import coverage, features
from kbcore.language.sentences import sentences
from kbcore.llm.interface import NO_ANSWER, AnswerPart, AnswerRequest, Source

_EMBEDDED = 12
"""Sentences that are embedded for one answer, about 8 ms each on two cores; the rest is left out by overlap."""
_LONGEST_QUOTE = 300
_LEAD_IN = 40
"""Characters: a line that ends without a full stop and is shorter than this introduces what follows it."""
_OVERLAP_WEIGHT = 0.15
_SOURCE_WEIGHT = 0.05
_WORSE = 0.04
"""How much lower than the best quote's a further quote's score may be: these cosines differ in the second digit."""
_ENDS = '。！？!?.…；;”」』"）)'


class SentenceEmbedder(Protocol):
    """The part of `kbcore.embedding.interface.Embedder` that choosing sentences needs."""

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[len(texts), dimension], unit length."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """float32[dimension], unit length."""


@dataclass(frozen=True, slots=True)
class _Quote:
    source: Source
    start: int
    end: int
    overlap: float

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]


class ExtractiveModel:
    """`AnswerModel` that quotes one to `max_quotes` sentences of the sources, each with its marker."""

    def __init__(self, embedder: SentenceEmbedder, *, max_quotes: int) -> None:
        self._embedder = embedder
        self._max_quotes = max_quotes

    @property
    def name(self) -> str:
        """`extractive`."""
        return "extractive"

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """One part for each quote, the best first; `NO_ANSWER` if there is nothing to quote."""
        chosen = self._choose(request)
        for position, quote in enumerate(chosen):
            yield AnswerPart(text=_line(quote, request.language, first=position == 0))
        yield AnswerPart(text="" if chosen else NO_ANSWER, finish_reason="stop")

    def ping(self) -> None:
        """Always there."""

    def _choose(self, request: AnswerRequest) -> list[_Quote]:
        asked = features(request.question)
        quotes = [quote for source in request.sources for quote in _quotes(source, asked)]
        best = sorted(quotes, key=lambda quote: (-quote.overlap - quote.source.score, quote.source.number))[:_EMBEDDED]
        if not best:
            return []
        vectors = self._embedder.embed_passages([_in_context(quote) for quote in best])
        cosines = vectors @ self._embedder.embed_query(request.question)
        scores = [
            float(cosine) + _OVERLAP_WEIGHT * quote.overlap + _SOURCE_WEIGHT * quote.source.score
            for cosine, quote in zip(cosines, best, strict=True)
        ]
        ranked = sorted(zip(scores, best, strict=True), key=lambda item: -item[0])
        chosen: list[_Quote] = []
        for score, quote in ranked:
            if score < ranked[0][0] - _WORSE or len(chosen) == self._max_quotes:
                break
            if not any(_same(quote, other) for other in chosen):
                chosen.append(quote)
        return chosen


def _quotes(source: Source, asked: frozenset[str]) -> Iterator[_Quote]:
    """Every sentence that can stand alone; a lead-in ("as follows:", a table's rows) takes what follows with it."""
    spans = sentences(source.text)
    context = features(" ".join(source.heading[-1:]))
    for index, (start, _) in enumerate(spans):
        last = index
        while _is_lead_in(source.text[start : spans[last][1]]) and last + 1 < len(spans):
            if spans[last + 1][1] - start > _LONGEST_QUOTE:
                break
            last += 1
        end = spans[last][1]
        if last == index and _is_lead_in(source.text[start:end]) and len(spans) > 1:
            continue
        yield _Quote(source, start, end, coverage(asked, features(source.text[start:end]) | context))


def _is_lead_in(text: str) -> bool:
    line = text.rsplit("\n", 1)[-1].rstrip()
    if line.endswith(("：", ":")):
        return True
    if line.startswith("|"):  # a table: with its header and as many rows as fit
        return True
    return len(text) < _LEAD_IN and not line.endswith(tuple(_ENDS))


def _in_context(quote: _Quote) -> str:
    return "\n".join((*quote.source.heading[-1:], quote.text))


def _same(one: _Quote, other: _Quote) -> bool:
    if one.source.number == other.source.number and one.start < other.end and other.start < one.end:
        return True
    return one.text == other.text


def _line(quote: _Quote, language: str, *, first: bool) -> str:
    frame = ""
    if first:
        title = quote.source.title
        frame = f"根据《{title}》：" if language == "zh" else f"According to {title}: "
    return ("" if first else "\n") + f"{frame}“{quote.text}”[{quote.source.number}]"
