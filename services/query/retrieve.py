"""Retrieve: the question's vectors, where the search stands, and what the index names as candidates.

Nothing found here is believed: `services.query.check` decides.
"""

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.language.analyzer import ANALYZERS, terms
from kbcore.language.weights import query_weights, term_id
from kbcore.metadata.standpoint import Index, Standpoint, take_standpoint
from kbcore.metadata.visible_rows import VisibleRows, visible_rows
from kbcore.vectors.interface import Vector, VectorFilter, VectorHit
from services.query.exact import covering, nearest
from services.query.found import Candidates, QueryVectors
from services.query.request import Mode, SearchRequest
from services.query.understand.glossary import expansion_terms, phrased, weighted

Words = dict[str, list[str]]
"""A question's terms by analyzer; each term once, in order."""


def stand(platform: Platform, caller: Caller, words: Words, request: SearchRequest) -> Standpoint:
    """Read rights, epoch, index, filters and the statistics of what may be read, in one statement.

    Raises `NotFound` for a named space or snapshot that the caller cannot see.
    """
    ids = {term_id(word) for each in words.values() for word in each}
    ids |= {term_id(word) for analyzer in words for word in expansion_terms(request.expansions, analyzer)}
    with platform.database.statement() as connection:
        return take_standpoint(connection, caller, request.narrowing, sorted(ids), request.as_of, request.generation_id)


def embed(platform: Platform, standpoint: Standpoint, request: SearchRequest) -> Vector | None:
    """The question's vector, float32[dimension], by the model that built the index; None if no dense leg is asked for.

    What the glossary knows about its words is embedded with it.

    Raises `Unavailable` if that model is not configured any more: vectors of two models cannot be compared.
    """
    if standpoint.index is None or request.mode is Mode.KEYWORD:
        return None
    embedder = platform.embedder_for(standpoint.index.embedding)
    return platform.question_vectors.of(embedder, phrased(request))


def weigh(words: Words, standpoint: Standpoint, request: SearchRequest) -> dict[int, float]:
    """The question's terms with their share of its IDF, and what the glossary adds; empty if it has no terms."""
    index = standpoint.index
    if index is None or not words.get(index.analyzer):
        return {}
    weights = query_weights(words[index.analyzer], standpoint.rows_with_term, standpoint.rows)
    return weighted(weights, request.expansions, standpoint, index.analyzer)


def analyse(query: str) -> Words:
    """The question's terms, tokenised as documents are, by every analyzer that an index may have been built with."""
    return {analyzer: list(dict.fromkeys(terms(query, analyzer))) for analyzer in ANALYZERS}


def candidates(
    platform: Platform, index: Index, standpoint: Standpoint, query: QueryVectors, mode: Mode, limit: int
) -> Candidates:
    """Ask each leg that `mode` names for `limit` rows; the permission and epoch filter is inside each search.

    Where few rows may be seen, SQL has them all and both legs are exact; else the vector index is asked.
    """
    where = VectorFilter(
        standpoint.scope,
        standpoint.epoch,
        standpoint.space_keys,
        standpoint.document_keys,
        standpoint.history,
        share=_share(index, standpoint),
    )
    if where.matches_nothing:
        return Candidates((), more=False)
    dense = query.dense if mode is not Mode.KEYWORD else None
    terms = query.terms if mode is not Mode.DENSE else {}
    rows = _few_rows(platform, index, standpoint)
    legs: dict[str, list[VectorHit]] = {}
    if dense is not None:
        legs["dense"] = (
            nearest(rows, dense, limit)
            if rows is not None
            else platform.vectors.search_dense(index.collection, dense, where, limit)
        )
    if terms:
        legs["keyword"] = (
            covering(rows, terms, limit)
            if rows is not None
            else platform.vectors.search_sparse(index.collection, terms, where, limit)
        )
    named = {leg: tuple(hit.chunk_id for hit in hits) for leg, hits in legs.items()}
    chunk_ids = dict.fromkeys(chunk_id for hits in named.values() for chunk_id in hits)
    return Candidates(tuple(chunk_ids), any(len(hits) >= limit for hits in named.values()), named)


def _few_rows(platform: Platform, index: Index, standpoint: Standpoint) -> VisibleRows | None:
    """All rows that may be seen, if they are few. A past state may have had more than are open now: then None."""
    limit = platform.settings.retrieval.exact_rows
    if limit == 0 or standpoint.rows > limit:
        return None
    with platform.database.statement() as connection:
        return visible_rows(connection, index, standpoint, limit)


def _share(index: Index, standpoint: Standpoint) -> float:
    """The share of the index that the asker may see, in (0, 1]; narrower filters than rights are not known."""
    return min(1.0, max(standpoint.rows, 1) / max(index.rows, 1))
