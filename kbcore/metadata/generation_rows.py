"""The rows of a generation that is not live, document by document: read, compared, replaced."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.chunk import Chunk
from kbcore.domain.document import FOREVER
from kbcore.metadata.tables import chunks, embeddings, version_chunks
from kbcore.metadata.term_statistics import CountedRow

_NEXT_DOCUMENTS = sa.text("""
    SELECT d.id, d.key FROM documents d
    WHERE d.key > :after AND d.deleted_at IS NULL AND EXISTS (
        SELECT FROM versions v WHERE v.document_id = d.id AND v.valid_from IS NOT NULL)
    ORDER BY d.key LIMIT :limit
""")
_COUNT_DOCUMENTS = sa.text("""
    SELECT count(*) FILTER (WHERE d.key <= :after), count(*) FROM documents d
    WHERE d.deleted_at IS NULL AND EXISTS (
        SELECT FROM versions v WHERE v.document_id = d.id AND v.valid_from IS NOT NULL)
""")
_READABLE_VERSIONS = sa.text("""
    SELECT v.document_id, v.number FROM versions v JOIN documents d ON d.id = v.document_id
    WHERE v.document_id = ANY(:documents) AND d.deleted_at IS NULL AND v.valid_from IS NOT NULL AND v.text IS NOT NULL
""")


_FORGET_PLACES = sa.text("""
    DELETE FROM version_chunks p USING versions v
    WHERE p.generation_id = :generation AND p.document_id = ANY(:documents)
        AND v.document_id = p.document_id AND v.number = p.version AND v.valid_from IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class BuiltRow:
    """A row to keep in SQL, with the policy and level of its document; `terms` are packed keyword weights."""

    id: str
    document_id: str
    chunk: Chunk
    embedded_hash: bytes
    terms: bytes
    policy_id: int
    level: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class BuiltPlace:
    """Where a row stands in a version."""

    document_id: str
    version: int
    row_id: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class PresentRow:
    """What SQL has of a row already."""

    embedded_hash: bytes
    valid_from: int
    valid_to: int
    policy_id: int
    level: int
    terms: bytes


def next_documents(connection: Connection, after: int, limit: int) -> list[tuple[str, int]]:
    """(id, key) of documents with published versions that are not deleted, by key, those after the key `after`."""
    rows = connection.execute(_NEXT_DOCUMENTS, {"after": after, "limit": limit})
    return [(row.id, row.key) for row in rows]


def progress(connection: Connection, cursor: int) -> tuple[int, int]:
    """(done, total) documents of a first pass that stands at this key."""
    done, total = connection.execute(_COUNT_DOCUMENTS, {"after": cursor}).one()
    return int(done), int(total)


def readable_versions(connection: Connection, document_ids: Collection[str]) -> dict[str, set[int]]:
    """The numbers of the published versions whose text is there, by document; a deleted document has none."""
    found: dict[str, set[int]] = {document: set() for document in document_ids}
    for row in connection.execute(_READABLE_VERSIONS, {"documents": list(document_ids)}):
        found[row.document_id].add(row.number)
    return found


def present(connection: Connection, generation_id: int, document_ids: Collection[str]) -> dict[str, PresentRow]:
    """The published rows of these documents in a generation, by id; what is staged there is not this module's."""
    rows = connection.execute(
        sa.select(*(chunks.c[name] for name in ("id", *(each.name for each in fields(PresentRow))))).where(
            chunks.c.generation_id == generation_id,
            chunks.c.document_id == sa.any_(sa.bindparam("documents")),
            chunks.c.valid_from.is_not(None),
        ),
        {"documents": list(document_ids)},
    )
    return {
        row.id: PresentRow(row.embedded_hash, row.valid_from, row.valid_to, row.policy_id, row.level, row.terms)
        for row in rows
    }


def vectors(connection: Connection, model: str, hashes: Collection[bytes]) -> dict[bytes, bytes]:
    """Stored vectors (float32 little-endian) by the hash of their text."""
    rows = connection.execute(
        sa.select(embeddings.c.text_hash, embeddings.c.vector).where(
            embeddings.c.model == model, embeddings.c.text_hash == sa.any_(sa.bindparam("hashes"))
        ),
        {"hashes": list(hashes)},
    )
    return {row.text_hash: row.vector for row in rows}


def replace(
    connection: Connection,
    generation_id: int,
    document_ids: Collection[str],
    places: Sequence[BuiltPlace],
    *,
    changed: Mapping[str, BuiltRow],
    gone: Collection[str],
) -> None:
    """Make these the rows and places of these documents: `changed` are written, `gone` removed, the rest stays."""
    connection.execute(_FORGET_PLACES, {"generation": generation_id, "documents": list(document_ids)})
    stale = [*changed, *gone]
    if stale:
        connection.execute(
            chunks.delete().where(chunks.c.generation_id == generation_id, chunks.c.id == sa.any_(sa.bindparam("ids"))),
            {"ids": stale},
        )
    if changed:
        connection.execute(chunks.insert(), [_row(generation_id, row) for row in changed.values()])
    if places:
        connection.execute(version_chunks.insert(), [_place(generation_id, place) for place in places])


def counted(rows: Iterable[BuiltRow] | Iterable[PresentRow]) -> list[CountedRow]:
    """Those rows that are open, as they are counted."""
    return [CountedRow(row.policy_id, row.level, row.terms) for row in rows if row.valid_to == FOREVER]


def _row(generation_id: int, row: BuiltRow) -> dict[str, object]:
    return {
        "generation_id": generation_id,
        "id": row.id,
        "document_id": row.document_id,
        "text": row.chunk.text,
        "embedded_hash": row.embedded_hash,
        "language": row.chunk.language,
        "tokens": row.chunk.tokens,
        "terms": row.terms,
        "policy_id": row.policy_id,
        "level": row.level,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


def _place(generation_id: int, place: BuiltPlace) -> dict[str, object]:
    chunk = place.chunk
    return {
        "generation_id": generation_id,
        "document_id": place.document_id,
        "version": place.version,
        "ordinal": chunk.ordinal,
        "chunk_id": place.row_id,
        "start": chunk.start,
        "end": chunk.end,
        "heading": list(chunk.heading),
        "page": chunk.page,
        "kind": chunk.kind.value,
    }
