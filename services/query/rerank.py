"""Rerank: a second model reorders the best of the fused list; without one, or while it is down, that list stands."""

from dataclasses import replace

import structlog

from kbcore.errors import Unavailable
from kbcore.observability.metrics import reranks
from kbcore.rerank.interface import Reranker
from services.query.found import Ranked

_log = structlog.get_logger(__name__)


def rerank(reranker: Reranker | None, question: str, ranked: list[Ranked]) -> list[Ranked]:
    """The same passages in the reranker's order.

    Unchanged, each with `rerank` None, if there is no reranker, or it does not answer or answers wrongly.
    """
    if reranker is None or not ranked:
        return ranked
    try:
        scores = reranker.score(question, [item.passage.text for item in ranked])
    except Unavailable as error:
        reranks.labels("skipped").inc()
        _log.warning("reranker_unavailable", detail=error.detail)
        return ranked
    reranks.labels("done").inc()
    rescored = [replace(item, score=score, rerank=score) for item, score in zip(ranked, scores, strict=True)]
    return sorted(rescored, key=lambda item: -item.score)
