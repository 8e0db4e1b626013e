"""The rows that a search may see, straight from SQL: where they are few, searching them all is exact and fast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.metadata.standpoint import Index, Standpoint

# The same conditions that the index gets, on the stamps that it got. One row more than asked for says: too many.
_VISIBLE = sa.text("""
    WITH visible AS MATERIALIZED (
        SELECT c.id, c.embedded_hash, c.terms FROM chunks c
        WHERE c.generation_id = :generation_id AND c.policy_id = ANY(:policies) AND c.level <= :clearance
            AND c.valid_from <= :epoch AND (c.valid_to > :epoch OR :history)
            AND (NOT :narrowed OR c.document_id IN (
                SELECT d.id FROM documents d JOIN spaces s ON s.id = d.space_id
                WHERE (:space_keys IS NULL OR s.key = ANY(:space_keys))
                    AND (:document_keys IS NULL OR d.key = ANY(:document_keys))))
        LIMIT :limit
    )
    SELECT count(*) AS rows, array_agg(v.id ORDER BY v.id) AS ids,
        array_agg(octet_length(v.terms) ORDER BY v.id) AS sizes, string_agg(v.terms, '' ORDER BY v.id) AS terms,
        array_agg(v.id ORDER BY v.id) FILTER (WHERE e.vector IS NOT NULL) AS embedded_ids,
        string_agg(e.vector, '' ORDER BY v.id) AS vectors
    FROM visible v LEFT JOIN embeddings e ON e.model = :embedding AND e.text_hash = v.embedded_hash
""").bindparams(
    sa.bindparam("policies", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("space_keys", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("document_keys", type_=ARRAY(sa.BigInteger)),
)


@dataclass(frozen=True, slots=True)
class VisibleRows:
    """Every row that may be seen, by id.

    `vectors` is float32[len(embedded_ids), dimension] of the rows that have a stored one. `terms` are the rows' packed
    keyword weights one after the other, `sizes` their lengths in bytes.
    """

    ids: Sequence[str]
    sizes: Sequence[int]
    terms: bytes
    embedded_ids: Sequence[str]
    vectors: NDArray[np.float32]


def visible_rows(connection: Connection, index: Index, standpoint: Standpoint, limit: int) -> VisibleRows | None:
    """The rows that `standpoint` lets this search see, by their stamps; None if there are more than `limit`."""
    space_keys, document_keys = standpoint.space_keys, standpoint.document_keys
    row = connection.execute(
        _VISIBLE,
        {
            "generation_id": index.id,
            "embedding": index.embedding,
            "policies": list(standpoint.scope.policy_ids),
            "clearance": int(standpoint.scope.clearance),
            "epoch": standpoint.epoch,
            "history": standpoint.history,
            "narrowed": space_keys is not None or document_keys is not None,
            "space_keys": None if space_keys is None else list(space_keys),
            "document_keys": None if document_keys is None else list(document_keys),
            "limit": limit + 1,
        },
    ).one()
    if row.rows > limit:
        return None
    vectors = np.frombuffer(row.vectors or b"", dtype="<f4")
    embedded: Sequence[str] = row.embedded_ids or ()
    return VisibleRows(
        ids=row.ids or (),
        sizes=row.sizes or (),
        terms=row.terms or b"",
        embedded_ids=embedded,
        vectors=vectors.reshape(len(embedded), -1) if embedded else vectors.reshape(0, 0),
    )
