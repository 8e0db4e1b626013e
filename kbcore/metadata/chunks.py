"""Chunks in SQL: rows of the index (text, keyword weights, vector) and their places in versions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as upsert

from kbcore.domain.chunk import Chunk
from kbcore.domain.document import FOREVER
from kbcore.metadata.removal import require_vectors
from kbcore.metadata.tables import chunks, embeddings, version_chunks


@dataclass(frozen=True, slots=True)
class StagedChunk:
    """A chunk to stage: its row key, the hash of its embedded text, and its packed keyword weights."""

    id: str
    chunk: Chunk
    embedded_hash: bytes
    terms: bytes


@dataclass(frozen=True, slots=True)
class IndexedText:
    """What was computed from an embedded text when it was indexed: packed keyword weights, and its tokens."""

    terms: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class PlacedChunk:
    """A chunk as it stands in one version; `text` is characters `start:end` of the version's stored text."""

    chunk_id: str
    ordinal: int
    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    page: int | None
    kind: str
    language: str
    tokens: int


def stage(
    connection: Connection, generation_id: int, document_id: str, version: int, staged: Sequence[StagedChunk]
) -> None:
    """Write a version's chunks, invisible until published. Replaces what an earlier try staged.

    Raises `Unavailable` if one of their vectors was purged meanwhile.
    """
    unstage(connection, document_id, version)
    if not staged:
        return
    require_vectors(connection, generation_id, {item.embedded_hash for item in staged})
    connection.execute(
        chunks.insert(),
        [
            {
                "generation_id": generation_id,
                "id": item.id,
                "document_id": document_id,
                "text": item.chunk.text,
                "embedded_hash": item.embedded_hash,
                "language": item.chunk.language,
                "tokens": item.chunk.tokens,
                "terms": item.terms,
            }
            for item in staged
        ],
    )
    connection.execute(
        version_chunks.insert(),
        [
            {
                "generation_id": generation_id,
                "document_id": document_id,
                "version": version,
                "ordinal": item.chunk.ordinal,
                "chunk_id": item.id,
                "start": item.chunk.start,
                "end": item.chunk.end,
                "heading": list(item.chunk.heading),
                "page": item.chunk.page,
                "kind": item.chunk.kind.value,
            }
            for item in staged
        ],
    )


def unstage(connection: Connection, document_id: str, version: int) -> None:
    """Remove the chunks of a version that was never published, of whatever generation."""
    placed = sa.select(version_chunks.c.generation_id, version_chunks.c.chunk_id).where(
        version_chunks.c.document_id == document_id, version_chunks.c.version == version
    )
    # Deleting a row deletes its places (ON DELETE CASCADE).
    connection.execute(
        chunks.delete().where(sa.tuple_(chunks.c.generation_id, chunks.c.id).in_(placed), chunks.c.valid_from.is_(None))
    )


def indexed_texts(connection: Connection, generation_id: int, document_id: str) -> dict[bytes, IndexedText]:
    """What the open rows of a document say about their embedded texts, by the hash of those."""
    rows = connection.execute(
        sa.select(chunks.c.embedded_hash, chunks.c.terms, chunks.c.tokens).where(
            chunks.c.generation_id == generation_id, chunks.c.document_id == document_id, chunks.c.valid_to == FOREVER
        )
    )
    return {row.embedded_hash: IndexedText(row.terms, row.tokens) for row in rows}


def of_version(connection: Connection, generation_id: int, document_id: str, version: int) -> list[PlacedChunk]:
    """A version's chunks in reading order."""
    rows = connection.execute(
        sa.select(
            version_chunks.c.chunk_id,
            version_chunks.c.ordinal,
            version_chunks.c.start,
            version_chunks.c.end,
            chunks.c.text,
            version_chunks.c.heading,
            version_chunks.c.page,
            version_chunks.c.kind,
            chunks.c.language,
            chunks.c.tokens,
        )
        .join(
            chunks,
            (chunks.c.generation_id == version_chunks.c.generation_id) & (chunks.c.id == version_chunks.c.chunk_id),
        )
        .where(
            version_chunks.c.generation_id == generation_id,
            version_chunks.c.document_id == document_id,
            version_chunks.c.version == version,
        )
        .order_by(version_chunks.c.ordinal)
    )
    return [PlacedChunk(**{**row._mapping, "heading": tuple(row.heading)}) for row in rows]


def known_vectors(
    connection: Connection, model: str, hashes: Collection[bytes], *, of_document: str | None = None
) -> set[bytes]:
    """Which of these embedded texts have a stored vector of this model.

    With `of_document` only those count that its own chunks use, or that no chunk uses (yet): who uploads must not learn
    from the pace of the work that some other document, perhaps a hidden one, says the same.
    """
    if not hashes:
        return set()
    query = sa.select(embeddings.c.text_hash).where(
        embeddings.c.model == model, embeddings.c.text_hash == sa.any_(sa.bindparam("hashes"))
    )
    if of_document is not None:
        used = sa.exists().where(chunks.c.embedded_hash == embeddings.c.text_hash)
        query = query.where(used.where(chunks.c.document_id == of_document) | ~used)
    return set(connection.execute(query, {"hashes": list(hashes)}).scalars())


def store_vectors(connection: Connection, model: str, vectors: Mapping[bytes, bytes]) -> None:
    """Keep vectors (float32 little-endian) by the hash of their text; one that is there already stays."""
    if vectors:
        rows = [{"model": model, "text_hash": key, "vector": vector} for key, vector in vectors.items()]
        connection.execute(upsert(embeddings).on_conflict_do_nothing(), rows)
