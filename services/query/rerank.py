"""Rerank: a second model reorders the best of the fused list; without one, or while it is down, that list stands."""

from dataclasses import replace

import structlog

from kbcore.errors import Unavailable
from kbcore.rerank.interface import Reranker
from services.query.found import Ranked

_log = structlog.get_logger(__name__)


def rerank(reranker: Reranker | None, question: str, ranked: list[Ranked]) -> list[Ranked]:
    """The same passages in the reranker's order; unchanged if there is none or it does not answer."""
    if reranker is None or not ranked:
        return ranked
    try:
        scores = reranker.score(question, [item.passage.text for item in ranked])
    except Unavailable as error:
        _log.warning("reranker_unavailable", detail=error.detail)
        return ranked
    rescored = [replace(item, score=score, rerank=score) for item, score in zip(ranked, scores, strict=True)]
    return sorted(rescored, key=lambda item: -item.score)
