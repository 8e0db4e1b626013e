"""Puts spaces, documents and staged versions into SQL, as the stages before publication leave them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Chunk, ElementKind, StoredText
from kbcore.domain.document import FOREVER, Classification
from kbcore.domain.ids import chunk_id, new_id
from kbcore.domain.job import JobKind
from kbcore.domain.vector import vector_to_bytes
from kbcore.language.weights import pack, term_id
from kbcore.metadata import chunks, documents, generations, jobs, publications, spaces, versions
from kbcore.metadata.chunks import StagedChunk
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.generations import Generation
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Policy
from kbcore.vectors.interface import VectorStore

DIMENSION = 8
MODEL = "letters"


def vector_of(text: str) -> np.ndarray:
    """A unit vector that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


@dataclass
class Library:
    """A platform with one live generation of 8-dimensional vectors, and what has been put into it."""

    platform: Platform
    generation: Generation

    @classmethod
    def open(cls, platform: Platform) -> "Library":
        """Make the generation and its collection."""
        with platform.database.begin() as connection:
            generation = generations.insert_live(
                connection, prefix=f"t{new_id()[-12:]}", embedding=MODEL, dimension=DIMENSION, chunking={}
            )
        platform.vectors.create(generation.collection, DIMENSION)
        platform.vectors.load(generation.collection)
        return cls(platform, generation)

    def space(self, name: str = "hr") -> str:
        """A space that nobody may read."""
        with self.platform.database.begin() as connection:
            return spaces.create_space(connection, name=name, title=name, policy=Policy()).id

    def document(self, space_id: str) -> str:
        """A document without versions."""
        document_id = new_id()
        new = NewDocument(document_id, space_id, None, "title", Classification.PUBLIC, (), {}, None, None, "test")
        with self.platform.database.begin() as connection:
            documents.insert(connection, new)
        return document_id

    def receive(self, document_id: str) -> int:
        """A received version, with its job."""
        with self.platform.database.begin() as connection:
            number = versions.insert(
                connection, NewVersion(document_id, "0" * 64, 1, "a.txt", "text/plain", "title", "test")
            )
            jobs.insert(connection, JobKind.INGEST, created_by="test", document_id=document_id, version=number)
        return number

    def stage(self, document_id: str, passages: Sequence[str]) -> int:
        """The next version with these passages, ready to be published."""
        number = self.receive(document_id)
        self.stage_received(document_id, number, passages)
        return number

    def stage_received(self, document_id: str, number: int, passages: Sequence[str]) -> None:
        """Stage a version that was received before."""
        staged, start = [], 0
        for ordinal, text in enumerate(passages):
            item = Chunk(ordinal, start, start + len(text), text, (), None, ElementKind.TEXT, "en", 1, text)
            digest = hashlib.sha256(text.encode()).digest()
            terms = pack({term_id(word): 1.0 for word in text.split()})
            staged.append(StagedChunk(chunk_id(document_id, number, ordinal), item, digest, terms))
            start += len(text)
        vectors = {item.embedded_hash: vector_to_bytes(vector_of(item.chunk.text)) for item in staged}
        with self.platform.database.begin() as connection:
            versions.store_text(
                connection,
                document_id,
                number,
                StoredText("".join(passages), ()),
                media_type="text/plain",
                title="title",
                language="en",
                pages=None,
                element_counts={},
            )
            chunks.store_vectors(connection, MODEL, vectors)
            chunks.stage(connection, self.generation.id, document_id, number, staged)
            versions.mark_staged(connection, self.generation.id, document_id, number)

    def delete(self, document_id: str) -> None:
        """What the API does for DELETE."""
        with self.platform.database.begin() as connection:
            documents.mark_deleted(connection, document_id, "test")
            jobs.insert(connection, JobKind.WITHDRAW, created_by="test", document_id=document_id)

    def epoch(self) -> int:
        """What readers see now."""
        with self.platform.database.begin() as connection:
            return publications.current_epoch(connection)

    def passages(self, document_id: str, epoch: int) -> list[str]:
        """What a search over everything finds of a document at an epoch: rows of the index that SQL confirms."""
        with self.platform.database.begin() as connection:
            found = indexed_ids(self.platform.vectors, self.generation.collection, epoch)
            placed = [
                chunk
                for version in versions.list_of(connection, document_id)
                if version.valid_from is not None and version.valid_from <= epoch < (version.valid_to or FOREVER)
                for chunk in chunks.of_version(connection, self.generation.id, document_id, version.number)
            ]
        return [chunk.text for chunk in placed if chunk.chunk_id in found]


def indexed_ids(store: VectorStore, collection: str, epoch: int) -> set[str]:
    """The rows that are valid at an epoch, whatever their policy."""
    return {key for key, stamp in store.scan(collection) if stamp.valid_from <= epoch < stamp.valid_to}
