"""Ranking the sentences of an answer's sources: once for each answer, however many ask for it."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from kbcore.llm.interface import AnswerRequest, Source

Judged_co = TypeVar("Judged_co", covariant=True)


class Ranker(Protocol[Judged_co]):
    """The part of `kbcore.llm.extractive.ExtractiveModel` that choosing sentences needs."""

    def rank(self, question: str, sources: Sequence[Source]) -> Sequence[Judged_co]:
        """The quotes that were compared, best first."""


def ranked(ranker: Ranker[Judged_co], request: AnswerRequest) -> Sequence[Judged_co]:
    """What the ranker makes of this request; embeds a dozen sentences the first time, and never again for its copies.

    It is forgotten with the request: no text of a document outlives its answer.
    """
    question, sources = request.searched or request.question, tuple(request.sources)
    key = (ranker, question, sources)
    if key not in request.memo:
        request.memo[key] = ranker.rank(question, sources)
    found: Sequence[Judged_co] = request.memo[key]
    return found
