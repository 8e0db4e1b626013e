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
    SELECT c.id, c.terms, e.vector FROM chunks c
    LEFT JOIN embeddings e ON e.model = :embedding AND e.text_hash = c.embedded_hash
    WHERE c.generation_id = :generation_id AND c.policy_id = ANY(:policies) AND c.level <= :clearance
        AND c.valid_from <= :epoch AND (c.valid_to > :epoch OR :history)
        AND (NOT :narrowed OR c.document_id IN (
            SELECT d.id FROM documents d JOIN spaces s ON s.id = d.space_id
            WHERE (:space_keys IS NULL OR s.key = ANY(:space_keys))
                AND (:document_keys IS NULL OR d.key = ANY(:document_keys))))
    LIMIT :limit
""").bindparams(
    sa.bindparam("policies", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("space_keys", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("document_keys", type_=ARRAY(sa.BigInteger)),
)


@dataclass(frozen=True, slots=True)
class VisibleRows:
    """Every row that may be seen, in the order of ids.

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
    found = connection.execute(
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
    ).all()
    if len(found) > limit:
        return None
    rows = sorted(found, key=lambda row: row.id)
    embedded = [row for row in rows if row.vector is not None]
    vectors = np.frombuffer(b"".join(row.vector for row in embedded), dtype="<f4")
    return VisibleRows(
        ids=[row.id for row in rows],
        sizes=[len(row.terms) for row in rows],
        terms=b"".join(row.terms for row in rows),
        embedded_ids=[row.id for row in embedded],
        vectors=vectors.reshape(len(embedded), -1) if embedded else vectors.reshape(0, 0),
    )
