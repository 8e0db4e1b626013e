"""What the vector index must hold, according to SQL: for comparing, repairing and rebuilding it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.chunk import VectorStamp


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of the index: `vector` is float32 little-endian, `terms` are packed keyword weights."""

    chunk_id: str
    stamp: VectorStamp
    vector: bytes
    terms: bytes


_STAMP = """
    c.id AS chunk_id, d.key AS document_key, s.key AS space_key,
    c.policy_id, c.level, c.valid_from, c.valid_to
"""
_FROM = """
    FROM chunks c JOIN documents d ON d.id = c.document_id JOIN spaces s ON s.id = d.space_id
"""
_EXPECTED = sa.text(f"SELECT {_STAMP} {_FROM} WHERE c.generation_id = :generation AND c.valid_from IS NOT NULL")
_DOCUMENT_STAMPS = sa.text("""
    SELECT d.id, d.key AS document_key, s.key AS space_key, COALESCE(d.own_policy_id, s.policy_id) AS policy_id,
        d.classification AS level, 0 AS valid_from, 0 AS valid_to
    FROM documents d JOIN spaces s ON s.id = d.space_id WHERE d.id = ANY(:documents)
""")
_COUNT = sa.text("SELECT count(*) FROM chunks WHERE generation_id = :generation AND valid_from IS NOT NULL")
_FULL = sa.text(f"""
    SELECT {_STAMP}, e.vector, c.terms {_FROM}
    JOIN embeddings e ON e.model = :model AND e.text_hash = c.embedded_hash
    WHERE c.generation_id = :generation AND c.id = ANY(:ids)
""")


def count(connection: Connection, generation_id: int) -> int:
    """How many rows the index must hold, history included."""
    return int(connection.execute(_COUNT, {"generation": generation_id}).scalar_one())


def expected(connection: Connection, generation_id: int) -> Iterator[tuple[str, VectorStamp]]:
    """Key and stamp of every row that the index must hold, in any order: the stamp that it got last (`chunks`)."""
    rows = connection.execute(_EXPECTED, {"generation": generation_id}, execution_options={"yield_per": 5000})
    for row in rows:
        yield row.chunk_id, _stamp(row)


def full(connection: Connection, generation_id: int, model: str, ids: Collection[str]) -> list[IndexRow]:
    """Rows with everything that is needed to write them again."""
    rows = connection.execute(_FULL, {"generation": generation_id, "model": model, "ids": list(ids)})
    return [IndexRow(row.chunk_id, _stamp(row), row.vector, row.terms) for row in rows]


def document_stamps(connection: Connection, document_ids: Collection[str]) -> dict[str, VectorStamp]:
    """What each document's rows are stamped with now, by document id; the epochs are those of no row (0)."""
    rows = connection.execute(_DOCUMENT_STAMPS, {"documents": list(document_ids)})
    return {row.id: _stamp(row) for row in rows}


def _stamp(row: Row[tuple[object, ...]]) -> VectorStamp:
    return VectorStamp(
        document_key=row.document_key,
        space_key=row.space_key,
        policy_id=row.policy_id,
        level=row.level,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )
