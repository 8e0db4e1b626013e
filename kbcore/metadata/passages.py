"""The check: which of the rows that the vector index named this person may read now, as SQL has them."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.domain.chunk import Passage
from kbcore.domain.document import Classification
from kbcore.metadata.access import ENTITLED, PRINCIPALS_CTE, READABLE
from kbcore.metadata.in_force import AT_EPOCH, in_force
from kbcore.metadata.standpoint import Index, Standpoint

# Who may read is resolved afresh in this statement, not taken from the search's start. The narrowing is repeated here,
# for the index may be wrong about that, too. A hit stands if the version in force places it.
# `hits` is materialised, so that the cost is that of the hits, not of the library.
_CONFIRM = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE},
    hits AS MATERIALIZED (
        SELECT id, document_id, text, language, terms, embedded_hash FROM chunks
        WHERE generation_id = :generation_id AND id = ANY(:chunk_ids) AND valid_from <= :epoch
            AND (valid_to > :epoch OR :history)
    )
    SELECT DISTINCT ON (c.id) c.id, d.id AS document_id, v.number,
        CASE WHEN v.number = d.version THEN d.title ELSE v.title END AS title, s.name AS space, c.text, p.page,
        p.heading, p.start, p.end, d.classification, c.language, v.effective_from, v.effective_to,
        v.created_at AS made_at, v.number = d.version AS current, c.terms, e.vector
    FROM hits c
    JOIN documents d ON d.id = c.document_id
    JOIN spaces s ON s.id = d.space_id
    JOIN LATERAL ({in_force(published=AT_EPOCH, at=":at")}) v ON true
    JOIN version_chunks p ON p.generation_id = :generation_id AND p.chunk_id = c.id AND p.document_id = d.id
        AND p.version = v.number
    LEFT JOIN embeddings e ON e.model = :embedding AND e.text_hash = c.embedded_hash
    WHERE {READABLE}
        AND (CAST(:language AS text) IS NULL OR c.language = :language)
        AND (:space_keys IS NULL OR s.key = ANY(:space_keys))
        AND (:document_keys IS NULL OR d.key = ANY(:document_keys))
    ORDER BY c.id, p.ordinal
""").bindparams(
    sa.bindparam("chunk_ids", type_=ARRAY(sa.Text)),
    sa.bindparam("at", type_=sa.DateTime(timezone=True)),
    sa.bindparam("space_keys", type_=ARRAY(sa.BigInteger)),
    sa.bindparam("document_keys", type_=ARRAY(sa.BigInteger)),
)

_AMONG_DOCUMENTS = f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT d.id FROM documents d JOIN spaces s ON s.id = d.space_id WHERE d.id = ANY(:document_ids)
"""
_READABLE_DOCUMENTS = sa.text(f"{_AMONG_DOCUMENTS} AND {READABLE}").bindparams(
    sa.bindparam("document_ids", type_=ARRAY(sa.Text))
)
_ENTITLED_DOCUMENTS = sa.text(f"{_AMONG_DOCUMENTS} AND {ENTITLED}").bindparams(
    sa.bindparam("document_ids", type_=ARRAY(sa.Text))
)


def confirm(
    connection: Connection,
    user_id: str,
    chunk_ids: Sequence[str],
    *,
    index: Index,
    standpoint: Standpoint,
    language: str | None = None,
) -> list[Passage]:
    """The passages among `chunk_ids` that this user may read now and that stand at the standpoint, in one statement.

    In any order, each once. Rows that are invented, foreign, closed, deleted, or of a version that is not in force are
    left out without a word. `Passage.embedding` is float32[dimension]; None where the vector is not stored.
    """
    space_keys, document_keys = standpoint.space_keys, standpoint.document_keys
    rows = connection.execute(
        _CONFIRM,
        {
            "user_id": user_id,
            "chunk_ids": list(chunk_ids),
            "generation_id": index.id,
            "embedding": index.embedding,
            "epoch": standpoint.epoch,
            "history": standpoint.history,
            "dated": standpoint.dated,
            "at": standpoint.at,
            "language": language,
            "space_keys": None if space_keys is None else list(space_keys),
            "document_keys": None if document_keys is None else list(document_keys),
        },
    )
    return [_passage(row) for row in rows]


def readable_documents(connection: Connection, user_id: str, document_ids: Sequence[str]) -> frozenset[str]:
    """Those of these documents that this user may read now."""
    rows = connection.execute(_READABLE_DOCUMENTS, {"user_id": user_id, "document_ids": list(document_ids)})
    return frozenset(rows.scalars())


def entitled_documents(connection: Connection, user_id: str, document_ids: Sequence[str]) -> frozenset[str]:
    """Those that this user may read now, or could if they were not deleted or erased."""
    rows = connection.execute(_ENTITLED_DOCUMENTS, {"user_id": user_id, "document_ids": list(document_ids)})
    return frozenset(rows.scalars())


def _passage(row: sa.Row[tuple[object, ...]]) -> Passage:
    return Passage(
        chunk_id=row.id,
        document_id=row.document_id,
        version=row.number,
        title=row.title,
        space=row.space,
        text=row.text,
        uri=f"/v1/documents/{row.document_id}/versions/{row.number}/content",
        page=row.page,
        heading=tuple(row.heading),
        start=row.start,
        end=row.end,
        classification=Classification(row.classification),
        language=row.language,
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        current=row.current,
        made_at=row.made_at,
        embedding=None if row.vector is None else np.frombuffer(row.vector, dtype="<f4"),
        terms=row.terms,
    )
