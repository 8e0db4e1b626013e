"""Rerank: a second model reorders the best of the fused list; without one, or while it is down, that list stands."""

from dataclasses import replace

import structlog

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.observability.metrics import reranks
from kbcore.rerank.interface import Reranker
from services.query.found import Ranked

_log = structlog.get_logger(__name__)


def rerank(reranker: Reranker | None, question: str, ranked: list[Ranked], *, level: Classification) -> list[Ranked]:
    """The same passages in the reranker's order; `level` is the question's.

    Unchanged, each with `rerank` None, if there is no reranker, it does not answer or answers wrongly, or the question
    or one of the passages may not be sent to it.
    """
    if reranker is None or not ranked:
        return ranked
    if max(level, *(item.passage.classification for item in ranked)) > reranker.allowed:
        reranks.labels("too_secret").inc()
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
