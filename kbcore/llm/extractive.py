"""The default answer: the sentences that answer best, quoted word for word. Needs no model, invents nothing."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kbcore.domain.document import Classification
from kbcore.language.amounts import lacks_amount
from kbcore.language.identifiers import identifiers
from kbcore.language.overlap import coverage, features
from kbcore.language.script import detect_language
from kbcore.language.subject import unheld
from kbcore.llm.interface import NO_ANSWER, AnswerPart, AnswerRequest, Prompt, Source
from kbcore.llm.prompt import quoted_from
from kbcore.llm.quotable import Quote, quotable
from kbcore.llm.ranking import ranked

_EMBEDDED = 12
"""Sentences that are embedded for one answer, about 8 ms each on two cores; the rest is left out by overlap."""
_OVERLAP_WEIGHT = 0.15
_SOURCE_WEIGHT = 0.05
_NAMED_WEIGHT = 0.05
"""For a quote that itself holds an identifier of the question: cosines hardly tell `E1042` from `E1043`."""
_WORSE = 0.04
"""How much lower than the best quote's a further quote's score may be: these cosines differ in the second digit."""


class SentenceEmbedder(Protocol):
    """The part of `kbcore.embedding.interface.Embedder` that choosing sentences needs."""

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[len(texts), dimension], unit length."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """float32[dimension], unit length."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A quote. `evidence` is cosine plus weighted overlap; `score`, which orders, also knows the source's rank."""

    quote: Quote
    evidence: float
    score: float
    named: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be quoted, best first, if `evidence` is enough; nothing where an amount is asked for and none is said.

    `evidence` is None where no threshold decides: the best quote holds an identifier of the question, or is in the
    other language.
    """

    quotes: Sequence[Quote]
    evidence: float | None


class ExtractiveModel:
    """`AnswerModel` that quotes one to `max_quotes` sentences of the sources, each with its marker.

    `min_evidence` is by language: a best quote in the question's own language with less of it is no answer. Neither are
    quotes without an amount of money, or a weight, where the question asks for one.
    """

    def __init__(
        self, embedder: SentenceEmbedder, *, max_quotes: int, min_evidence: Mapping[str, float] | None = None
    ) -> None:
        self._embedder = embedder
        self._max_quotes = max_quotes
        self._min_evidence = min_evidence or {}

    @property
    def name(self) -> str:
        """`extractive`."""
        return "extractive"

    @property
    def allowed(self) -> Classification:
        """Everything: nothing leaves this process."""
        return Classification.RESTRICTED

    def prompt(self, request: AnswerRequest) -> Prompt:
        """The numbered sources and the question."""
        return quoted_from(request)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """One part for each quote, the best first; `NO_ANSWER` if there is nothing to quote."""
        choice = self.choose(request)
        chosen = () if self._too_weak(choice, request.language) else choice.quotes
        for position, quote in enumerate(chosen):
            yield AnswerPart(text=_line(quote, request.language, first=position == 0))
        yield AnswerPart(text="" if chosen else NO_ANSWER, finish_reason="stop")

    def ping(self) -> None:
        """Always there."""

    def rank(self, question: str, sources: Sequence[Source]) -> list[Ranked]:
        """The quotes that were compared, best first."""
        candidates = _candidates(question, sources)
        if not candidates:
            return []
        vectors = self._embedder.embed_passages([_in_context(each.quote) for each in candidates])
        cosines = (vectors @ self._embedder.embed_query(question)).tolist()
        compared = []
        for cosine, each in zip(cosines, candidates, strict=True):
            evidence = cosine + _OVERLAP_WEIGHT * each.overlap
            score = evidence + _NAMED_WEIGHT * each.named + _SOURCE_WEIGHT * each.quote.source.score
            compared.append(Ranked(each.quote, evidence, score, each.named))
        return sorted(compared, key=lambda each: -each.score)

    def choose(self, request: AnswerRequest) -> Choice:
        """The quotes that are nearly as good as the best one, whether or not its evidence is enough."""
        found = ranked(self, request)
        found = [each for each in found if _is_about(each.quote, request.focus)] or found
        if not found:
            return Choice((), None)
        chosen: list[Quote] = []
        for each in found:
            if each.score < found[0].score - _WORSE or len(chosen) == self._max_quotes:
                break
            if not any(each.quote.overlaps(other) for other in chosen):
                chosen.append(each.quote)
        if lacks_amount(request.searched or request.question, (quote.text for quote in chosen)):
            return Choice((), None)
        best = found[0]
        decided = best.named or detect_language(best.quote.text) != request.language
        return Choice(chosen, None if decided else best.evidence)

    def _too_weak(self, choice: Choice, language: str) -> bool:
        return choice.evidence is not None and choice.evidence < self._min_evidence.get(language, 0.0)


@dataclass(frozen=True, slots=True)
class _Candidate:
    quote: Quote
    overlap: float
    named: bool


def _candidates(question: str, sources: Sequence[Source]) -> list[_Candidate]:
    """What shares most words with the question, of the sources that hold its identifiers."""
    asked, named = features(question), identifiers(question)
    found = []
    for source in _about(named, sources):
        heading = features(" ".join(source.heading[-1:]))
        for quote in quotable(source):
            overlap = coverage(asked, features(quote.gist) | heading)
            holds = not named.isdisjoint(identifiers(quote.gist))
            found.append(_Candidate(quote, overlap, holds))
    found.sort(key=lambda each: (-each.named, -each.overlap - 0.1 * each.quote.source.score, each.quote.source.number))
    return found[:_EMBEDDED]


def _about(named: frozenset[str], sources: Sequence[Source]) -> list[Source]:
    """The sources that hold the most of the question's identifiers: all of them if it has none."""
    held = [
        len(named & identifiers("\n".join((source.title, *source.heading, source.text)))) if named else 0
        for source in sources
    ]
    most = max(held, default=0)
    return [source for source, count in zip(sources, held, strict=True) if count == most]


def _is_about(quote: Quote, focus: str) -> bool:
    """Whether a quote, or what stands above it, has every word of a follow-up: the rest is what was asked before."""
    return unheld(focus, (quote.gist, *quote.source.heading, quote.source.title)) == 0.0


def _in_context(quote: Quote) -> str:
    return "\n".join((*quote.source.heading[-1:], quote.gist))


def _line(quote: Quote, language: str, *, first: bool) -> str:
    frame = ""
    if first:
        title = quote.source.title
        frame = f"根据《{title}》：" if language == "zh" else f"According to {title}: "
    return ("" if first else "\n") + f"{frame}“{quote.text}”[{quote.source.number}]"
