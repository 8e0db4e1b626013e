"""Physical removal of chunks from SQL: rows, places, the statistics that count them, and vectors that nobody needs.

The caller holds the publish lock and has removed the rows from Milvus before: killed between the two, SQL still says
what is to be removed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import FOREVER
from kbcore.errors import Unavailable
from kbcore.metadata import term_statistics, vector_lock
from kbcore.metadata.tables import chunks, embeddings, generations
from kbcore.metadata.term_statistics import CountedRow, Unpack

_ROWS_ONLY_OF = sa.text("""
    WITH doomed AS (SELECT * FROM unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS d(document_id, number))
    SELECT DISTINCT p.generation_id, p.chunk_id
    FROM version_chunks p JOIN doomed ON p.document_id = doomed.document_id AND p.version = doomed.number
    WHERE NOT EXISTS (
        SELECT FROM version_chunks o
        WHERE o.generation_id = p.generation_id AND o.chunk_id = p.chunk_id
            AND NOT EXISTS (SELECT FROM doomed w WHERE w.document_id = o.document_id AND w.number = o.version)
    )
    ORDER BY 1, 2
""")
_FORGET_PLACES = sa.text("""
    DELETE FROM version_chunks p
    USING unnest(CAST(:documents AS text[]), CAST(:numbers AS int[])) AS d(document_id, number)
    WHERE p.document_id = d.document_id AND p.version = d.number
""")
_FORGET_VECTORS = sa.text("""
    DELETE FROM embeddings e WHERE e.text_hash = ANY(:hashes)
        AND NOT EXISTS (SELECT FROM chunks c WHERE c.embedded_hash = e.text_hash)
""")
_FORGET_ORPHANS = sa.text("""
    DELETE FROM embeddings e
    WHERE e.stored_at < :before AND NOT EXISTS (SELECT FROM chunks c WHERE c.embedded_hash = e.text_hash)
""")


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was removed from SQL."""

    chunks: int
    embeddings: int


def require_vectors(connection: Connection, generation_id: int, hashes: Collection[bytes]) -> None:
    """Keep the stored vectors of a generation's model from being removed until this transaction ends.

    Call it in the transaction that writes chunks with these hashes. Raises `Unavailable` if one is gone: whoever
    removed it could not know that it was about to be needed, so the job is repeated and embeds it again.
    """
    vector_lock.hold_for_use(connection)
    there = (
        sa.select(sa.func.count())
        .select_from(embeddings.join(generations, generations.c.embedding == embeddings.c.model))
        .where(generations.c.id == generation_id, embeddings.c.text_hash == sa.any_(sa.bindparam("hashes")))
    )
    if connection.execute(there, {"hashes": list(hashes)}).scalar_one() < len(set(hashes)):
        raise Unavailable("vectors were purged while they were about to be used; they are made again")


def rows_only_of(connection: Connection, doomed: Sequence[tuple[str, int]]) -> dict[int, list[str]]:
    """Chunk ids by generation that no version but these places."""
    found: dict[int, list[str]] = {}
    for row in connection.execute(_ROWS_ONLY_OF, _pairs(doomed)):
        found.setdefault(row.generation_id, []).append(row.chunk_id)
    return found


def rows_of_document(connection: Connection, document_id: str) -> dict[int, list[str]]:
    """All chunk ids of a document by generation, staged ones and those of dropped generations included."""
    found: dict[int, list[str]] = {}
    query = sa.select(chunks.c.generation_id, chunks.c.id).where(chunks.c.document_id == document_id)
    for row in connection.execute(query.order_by(chunks.c.generation_id, chunks.c.id)):
        found.setdefault(row.generation_id, []).append(row.id)
    return found


def hashes_of(connection: Connection, rows: Mapping[int, Sequence[str]]) -> set[bytes]:
    """What identifies the vectors of these rows."""
    found: set[bytes] = set()
    for generation_id, ids in rows.items():
        query = sa.select(chunks.c.embedded_hash).where(_chosen(generation_id))
        found.update(connection.execute(query, {"ids": list(ids)}).scalars())
    return found


def remove_rows(connection: Connection, rows: Mapping[int, Sequence[str]], unpack: Unpack) -> Removed:
    """Remove rows with their places, and the vectors that no row of any generation needs after that."""
    vector_lock.hold_for_removal(connection)
    hashes: set[bytes] = set()
    count = 0
    for generation_id, ids in rows.items():
        gone = connection.execute(
            chunks.delete()
            .where(_chosen(generation_id))
            .returning(chunks.c.embedded_hash, chunks.c.policy_id, chunks.c.level, chunks.c.terms, chunks.c.valid_to),
            {"ids": list(ids)},
        ).all()
        hashes.update(row.embedded_hash for row in gone)
        count += len(gone)
        counted = [CountedRow(row.policy_id, row.level, row.terms) for row in gone if row.valid_to == FOREVER]
        term_statistics.count(connection, generation_id, closed=counted, unpack=unpack)
    forgotten = connection.execute(_FORGET_VECTORS, {"hashes": list(hashes)}).rowcount
    return Removed(count, forgotten)


def forget_orphans(connection: Connection) -> datetime:
    """Remove every vector that no row of any generation needs, and return the time before which those were stored.

    Interrupted work left them, and rows that a generation has lost otherwise: nothing tells whose they were. Work under
    way, whose rows are not written yet, loses its own and makes them again. Needs no publish lock.
    """
    vector_lock.hold_for_removal(connection)
    before: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
    connection.execute(_FORGET_ORPHANS, {"before": before})
    return before


def forget_places(connection: Connection, doomed: Sequence[tuple[str, int]]) -> None:
    """Remove where chunks stood in these versions; rows that other versions place stay as they are."""
    connection.execute(_FORGET_PLACES, _pairs(doomed))


def _chosen(generation_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(chunks.c.generation_id == generation_id, chunks.c.id == sa.any_(sa.bindparam("ids")))


def _pairs(versions: Sequence[tuple[str, int]]) -> dict[str, list[str] | list[int]]:
    return {"documents": [document for document, _ in versions], "numbers": [number for _, number in versions]}
