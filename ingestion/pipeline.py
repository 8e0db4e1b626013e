"""The document path: load → clean → chunk → embed → publish, for one version of one document.

Every stage may be repeated: a killed worker's successor starts over, and finds what was stored where it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.chunk.chunker import chunk
from ingestion.clean.pipeline import clean
from ingestion.embed import embed_missing, embedded_hash
from ingestion.load.sandbox import ParserProcess
from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Chunk, Loaded, StoredText
from kbcore.domain.document import Version, VersionState
from kbcore.domain.ids import chunk_id
from kbcore.errors import ItemFailed, ItemSkipped, NotFound
from kbcore.language.analyzer import terms
from kbcore.language.script import detect_language
from kbcore.language.weights import document_weights, pack
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata import documents, versions
from kbcore.metadata.chunks import StagedChunk
from kbcore.metadata.generations import Generation

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total); raises when the job was cancelled, has ended elsewhere, or shall wait."""


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """Everything the stages work with."""

    platform: Platform
    generation: Generation
    publisher: Publisher
    parser: ParserProcess

    def run(self, document_id: str, number: int, progress: Progress) -> Version:
        """Take a version from received to indexed; returns it as it ended.

        Raises `ItemSkipped` or `ItemFailed` with the reason, `Unavailable` when a dependency does not answer.
        """
        version = self._version(document_id, number)
        if version.state is VersionState.PENDING:
            loaded = self._load(version, progress)
            stored = self._clean(version, loaded, progress)
            chunks = self._chunk(version, stored, progress)
            self._embed(chunks, progress)
            self._stage(version, chunks)
        progress("publish", 0, 1)
        self.publisher.publish_staged()
        return self._version(document_id, number)

    def _version(self, document_id: str, number: int) -> Version:
        with self.platform.database.begin() as connection:
            version = versions.get(connection, document_id, number)
            document = documents.get(connection, document_id)
        if version is None or document is None:
            raise ItemSkipped("document_deleted", "the document was deleted before this version was ready")
        return version

    def _load(self, version: Version, progress: Progress) -> Loaded:
        progress("load", 0, 1)
        try:
            with self.platform.blobs.local(version.sha256) as path:
                return self.parser.load(path, version.file_name)
        except NotFound:
            raise ItemFailed("file_missing", "the stored file is gone from the blob store; upload it again") from None

    def _clean(self, version: Version, loaded: Loaded, progress: Progress) -> StoredText:
        progress("clean", 0, 1)
        stored, counts = clean(loaded)
        if not stored.text.strip():
            raise ItemFailed("no_text", "no text was found in the file; scanned pages need OCR, which is not enabled")
        with self.platform.database.begin() as connection:
            versions.store_text(
                connection,
                version.document_id,
                version.number,
                stored,
                media_type=loaded.media_type,
                title=version.title,
                language=detect_language(stored.text),
                pages=loaded.pages,
                element_counts=counts,
            )
        return stored

    def _chunk(self, version: Version, stored: StoredText, progress: Progress) -> list[Chunk]:
        progress("chunk", 0, 1)
        settings = self.generation.chunking
        return chunk(
            stored,
            title=version.title,
            count_tokens=self.platform.embedder.count_tokens,
            max_tokens=settings["max_tokens"],
            min_tokens=settings["min_tokens"],
        )

    def _embed(self, chunks: list[Chunk], progress: Progress) -> None:
        batch = self.platform.settings.embedding.batch_size
        for done in embed_missing(self.platform.database, self.platform.embedder, chunks, batch_size=batch):
            progress("embed", done, len(chunks))

    def _stage(self, version: Version, chunks: list[Chunk]) -> None:
        staged = [
            StagedChunk(
                id=chunk_id(version.document_id, version.number, item.ordinal),
                chunk=item,
                embedded_hash=embedded_hash(item),
                terms=pack(document_weights(terms(item.embedded_text))),
            )
            for item in chunks
        ]
        with self.platform.database.begin() as connection:
            if versions.mark_staged(connection, version.document_id, version.number):
                chunk_rows.stage(connection, self.generation.id, version.document_id, version.number, staged)
