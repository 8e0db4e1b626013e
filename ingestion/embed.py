"""Embed: vectors for the chunks whose text has none yet."""

import hashlib
from collections.abc import Iterator, Sequence

from kbcore.domain.chunk import Chunk
from kbcore.domain.vector import vector_to_bytes
from kbcore.embedding.interface import Embedder
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata.database import Database


def embedded_hash(chunk: Chunk) -> bytes:
    """SHA-256 of what gets embedded: equal texts under equal headings share one vector."""
    return hashlib.sha256(chunk.embedded_text.encode("utf-8", "surrogatepass")).digest()


def embed_missing(database: Database, embedder: Embedder, chunks: Sequence[Chunk], *, batch_size: int) -> Iterator[int]:
    """Embed and store what is not stored yet, batch by batch; yields how many chunks have a vector so far.

    Every batch is kept when it is done, so a killed worker's successor goes on from there.
    """
    texts = {embedded_hash(chunk): chunk.embedded_text for chunk in chunks}
    with database.begin() as connection:
        known = chunk_rows.known_vectors(connection, embedder.name, texts.keys())
    missing = sorted(texts.keys() - known, key=lambda key: len(texts[key]))
    done = len(chunks) - len(missing)
    yield done
    for start in range(0, len(missing), batch_size):
        keys = missing[start : start + batch_size]
        vectors = embedder.embed_passages([texts[key] for key in keys])
        packed = {key: vector_to_bytes(vector) for key, vector in zip(keys, vectors, strict=True)}
        with database.begin() as connection:
            chunk_rows.store_vectors(connection, embedder.name, packed)
        done += len(keys)
        yield done
