"""Check: SQL decides which candidates this person may read now, and the confirmed ones are scored exactly."""

import numpy as np

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Passage
from kbcore.domain.principal import Caller
from kbcore.language.weights import packed_coverage
from kbcore.metadata.passages import confirm
from kbcore.metadata.standpoint import Index, Standpoint
from kbcore.observability.metrics import search_hits_refused
from services.query.found import Candidates, QueryVectors
from services.query.request import SearchRequest


def check(
    platform: Platform,
    caller: Caller,
    request: SearchRequest,
    index: Index,
    standpoint: Standpoint,
    found: Candidates,
) -> list[Passage]:
    """The candidates that stand, as SQL has them, in any order. Raises `AclUnavailable`: never a partial answer."""
    if not found.chunk_ids:
        return []
    with platform.database.statement() as connection:
        passages = confirm(
            connection,
            caller.user_id,
            found.chunk_ids,
            index=index,
            standpoint=standpoint,
            language=request.narrowing.language,
        )
    search_hits_refused.inc(len(found.chunk_ids) - len(passages))
    return passages


def dense_scores(passages: list[Passage], query: QueryVectors) -> dict[str, float]:
    """Cosine of the question and each passage, whichever leg found it; those without a stored vector are left out."""
    stored = [(passage.chunk_id, passage.embedding) for passage in passages if passage.embedding is not None]
    if query.dense is None or not stored:
        return {}
    matrix = np.stack([np.asarray(vector) for _, vector in stored])
    return dict(zip((key for key, _ in stored), (matrix @ query.dense).tolist(), strict=True))


def keyword_scores(passages: list[Passage], query: QueryVectors) -> dict[str, float]:
    """Inner product of the question's terms and each passage's: what the keyword leg computes, for every passage.

    At most 1: a passage may say both a word and what else the glossary calls it.
    """
    return {passage.chunk_id: min(1.0, packed_coverage(query.terms, passage.terms)) for passage in passages}
