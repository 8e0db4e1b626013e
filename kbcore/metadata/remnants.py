"""Probes: is anything of an erased document left in SQL? Each answers how many things it found."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.scrub import mentions

_PROBES = {
    "sql documents": sa.text("""
        SELECT count(*) FROM documents WHERE id = :document_id AND (
            deleted_at IS NULL OR title <> '' OR external_id IS NOT NULL OR source IS NOT NULL OR tags <> '{}'
            OR metadata <> '{}' OR effective_from IS NOT NULL OR effective_to IS NOT NULL)
    """),
    "sql versions": sa.text("""
        SELECT count(*) FROM versions WHERE document_id = :document_id AND (
            text IS NOT NULL OR outline IS NOT NULL OR sha256 <> '' OR title <> '' OR file_name <> ''
            OR comment IS NOT NULL OR source_uri IS NOT NULL OR tags <> '{}' OR metadata <> '{}'
            OR element_counts <> '{}' OR state <> 'skipped')
    """),
    "sql chunks": sa.text("SELECT count(*) FROM chunks WHERE document_id = :document_id"),
    "sql places": sa.text("SELECT count(*) FROM version_chunks WHERE document_id = :document_id"),
}
_VECTORS = sa.text("""
    SELECT count(*) AS stored,
        count(*) FILTER (WHERE EXISTS (SELECT FROM chunks c WHERE c.embedded_hash = e.text_hash)) AS needed
    FROM embeddings e WHERE e.text_hash = ANY(:hashes)
""")


def in_sql(connection: Connection, document_id: str) -> dict[str, int]:
    """What each table still says of the document, by where it was looked for."""
    named = {"document_id": document_id}
    found = {where: int(connection.execute(probe, named).scalar_one()) for where, probe in _PROBES.items()}
    left = mentions(connection, document_id)
    return {
        **found,
        "sql answers": len(left.turns),
        "sql feedback": left.comments,
        "sql remembered replies": left.replies,
    }


def stored_vectors(connection: Connection, hashes: Collection[bytes]) -> tuple[int, int]:
    """How many vectors with these hashes nobody needs, and how many passages of other documents need."""
    row = connection.execute(_VECTORS, {"hashes": list(hashes)}).one()
    return row.stored - row.needed, row.needed
