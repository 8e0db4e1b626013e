"""Probes: is anything of an erased document left in SQL? Each answers how many things it found."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.scrub import DESCRIBING, empty_value, mentions
from kbcore.metadata.tables import documents, versions

_CHUNKS = sa.text("SELECT count(*) FROM chunks WHERE document_id = :document_id")
_PLACES = sa.text("SELECT count(*) FROM version_chunks WHERE document_id = :document_id")
_VECTORS = sa.text("""
    SELECT count(*) FILTER (WHERE n.needed) AS needed,
        count(*) FILTER (WHERE NOT n.needed AND e.stored_at < :before) AS unneeded
    FROM embeddings e,
        LATERAL (SELECT EXISTS (SELECT FROM chunks c WHERE c.embedded_hash = e.text_hash) AS needed) n
    WHERE e.text_hash = ANY(:hashes)
""")
_ORPHANS = sa.text("""
    SELECT count(*) FROM embeddings e
    WHERE e.stored_at < :before AND NOT EXISTS (SELECT FROM chunks c WHERE c.embedded_hash = e.text_hash)
""")


def in_sql(connection: Connection, document_id: str) -> dict[str, int]:
    """What each table still says of the document, by where it was looked for."""
    named = {"document_id": document_id}
    left = mentions(connection, document_id)
    return {
        "sql documents": _telling(connection, documents, documents.c.id == document_id),
        "sql versions": _telling(connection, versions, versions.c.document_id == document_id),
        "sql chunks": int(connection.execute(_CHUNKS, named).scalar_one()),
        "sql places": int(connection.execute(_PLACES, named).scalar_one()),
        "sql answers": len(left.turns),
        "sql feedback": left.comments,
        "sql remembered replies": left.replies,
        "sql errors of jobs": left.errors,
        "sql golden sets": left.golden_sets,
        "sql traces": left.traces,
        "sql answers to be given again": left.remembered,
    }


def stored_vectors(connection: Connection, hashes: Collection[bytes], before: datetime) -> tuple[int, int]:
    """How many vectors with these hashes nobody needs, and how many passages of other documents need.

    Those stored since `before` (work under way on other documents) are not counted unless they are needed.
    """
    row = connection.execute(_VECTORS, {"hashes": list(hashes), "before": before}).one()
    return row.unneeded, row.needed


def orphaned_vectors(connection: Connection, before: datetime) -> int:
    """How many vectors stored before a time nobody needs, whosever they were."""
    return int(connection.execute(_ORPHANS, {"before": before}).scalar_one())


def _telling(connection: Connection, table: sa.Table, chosen: sa.ColumnElement[bool]) -> int:
    """How many rows have anything in a column that describes."""
    told = (
        column.is_not(None) if column.nullable else column != sa.literal(empty_value(column), column.type)
        for column in DESCRIBING[table]
    )
    query = sa.select(sa.func.count()).select_from(table).where(chosen, sa.or_(*told))
    return int(connection.execute(query).scalar_one())
