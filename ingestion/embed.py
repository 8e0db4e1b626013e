"""Embed: vectors for the chunks whose text has none yet."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from kbcore.domain.chunk import Chunk
from kbcore.domain.vector import vector_to_bytes
from kbcore.embedding.interface import Embedder
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata.chunks import IndexedText
from kbcore.metadata.database import Database


def embedded_hash(chunk: Chunk) -> bytes:
    """SHA-256 of what gets embedded: equal texts under equal headings share one vector."""
    return text_hash(chunk.embedded_text)


def text_hash(embedded_text: str) -> bytes:
    """SHA-256 of a text that is, or would be, embedded."""
    return hashlib.sha256(embedded_text.encode("utf-8", "surrogatepass")).digest()


TokenCounts = Callable[[Sequence[str]], list[int]]
"""`Embedder.count_tokens`, or something that answers the same."""


def counted_once(count_tokens: TokenCounts) -> TokenCounts:
    """`count_tokens`, which counts no text twice: for texts that have passages in common."""
    known: dict[str, int] = {}

    def counts(texts: Sequence[str]) -> list[int]:
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(fresh, count_tokens(fresh), strict=True))
        return [known[text] for text in texts]

    return counts


def remembered_counts(count_tokens: TokenCounts, indexed: Mapping[bytes, IndexedText]) -> TokenCounts:
    """`count_tokens`, which counts only texts that were not counted when they were indexed."""

    def counts(texts: Sequence[str]) -> list[int]:
        known = [indexed.get(text_hash(text)) for text in texts]
        fresh = iter(count_tokens([text for text, row in zip(texts, known, strict=True) if row is None]))
        return [next(fresh) if row is None else row.tokens for row in known]

    return counts


def embed_missing(
    database: Database,
    embedder: Embedder,
    chunks: Sequence[Chunk],
    *,
    batch_size: int,
    hold: Callable[[Connection], None] = lambda _: None,
    of_document: str | None = None,
) -> Iterator[int]:
    """Embed and store what is not stored yet, batch by batch; yields how many chunks have a vector so far.

    Every batch is kept when it is done, so a killed worker's successor goes on from there. `hold` is called in each
    transaction that stores vectors: it raises if their document was erased meanwhile, and keeps that from happening.
    With `of_document` the vectors of other documents are not made use of (`chunk_rows.known_vectors`).
    """
    texts = {embedded_hash(chunk): chunk.embedded_text for chunk in chunks}
    with database.begin() as connection:
        known = chunk_rows.known_vectors(connection, embedder.name, texts.keys(), of_document=of_document)
    missing = sorted(texts.keys() - known, key=lambda key: len(texts[key]))
    done = len(chunks) - len(missing)
    yield done
    for start in range(0, len(missing), batch_size):
        keys = missing[start : start + batch_size]
        vectors = embedder.embed_passages([texts[key] for key in keys])
        packed = {key: vector_to_bytes(vector) for key, vector in zip(keys, vectors, strict=True)}
        with database.begin() as connection:
            hold(connection)
            chunk_rows.store_vectors(connection, embedder.name, packed)
        done += len(keys)
        yield done
