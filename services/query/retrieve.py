"""Retrieve: the question's vectors, where the search stands, and what the index names as candidates.

Nothing found here is believed: `services.query.check` decides.
"""

from datetime import datetime

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import Unavailable
from kbcore.language.analyzer import terms
from kbcore.language.weights import query_weights, term_id
from kbcore.metadata.standpoint import LiveIndex, Narrowing, Standpoint, take_standpoint
from kbcore.vectors.interface import VectorFilter, VectorHit, VectorStore
from services.query.found import Candidates, QueryVectors
from services.query.request import Mode


def stand(
    platform: Platform, caller: Caller, words: list[str], narrowing: Narrowing, as_of: datetime | None
) -> Standpoint:
    """Read rights, epoch, live index, filters and corpus statistics in one statement.

    Raises `NotFound("space")` for a named space that the caller cannot see, and `Unavailable` if the index was built
    with another embedding model than the one that is configured: their vectors cannot be compared.
    """
    with platform.database.statement() as connection:
        standpoint = take_standpoint(connection, caller.user_id, narrowing, [term_id(word) for word in words], as_of)
    index = standpoint.index
    if index is not None and index.embedding != platform.embedder.name:
        raise Unavailable(
            f"the index was built with the embedding model {index.embedding}, but {platform.embedder.name} is "
            "configured: set [embedding] back, or re-index with the new model",
            code="embedding_mismatch",
        )
    return standpoint


def weigh(words: list[str], standpoint: Standpoint) -> dict[int, float]:
    """The question's terms with their share of its IDF; empty if it has no terms."""
    rows = 0 if standpoint.index is None else standpoint.index.rows
    return query_weights(words, standpoint.rows_with_term, rows) if words else {}


def analyse(query: str) -> list[str]:
    """The question's terms, tokenised as documents are; each once, in order."""
    return list(dict.fromkeys(terms(query)))


def candidates(
    vectors: VectorStore, index: LiveIndex, standpoint: Standpoint, query: QueryVectors, mode: Mode, limit: int
) -> Candidates:
    """Ask each leg that `mode` names for `limit` rows; the permission and epoch filter is inside each search."""
    where = VectorFilter(standpoint.scope, standpoint.epoch, standpoint.space_keys, standpoint.document_keys)
    if where.matches_nothing:
        return Candidates((), more=False)
    legs: list[list[VectorHit]] = []
    if mode is not Mode.KEYWORD and query.dense is not None:
        legs.append(vectors.search_dense(index.collection, query.dense, where, limit))
    if mode is not Mode.DENSE and query.terms:
        legs.append(vectors.search_sparse(index.collection, query.terms, where, limit))
    chunk_ids = dict.fromkeys(hit.chunk_id for leg in legs for hit in leg)
    return Candidates(tuple(chunk_ids), more=any(len(leg) >= limit for leg in legs))
