"""The document path: load → clean → chunk → embed → publish, for one version of one document.

Every stage may be repeated: a killed worker's successor starts over, and finds what was stored where it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ingestion.chunk.chunker import chunk
from ingestion.clean.pipeline import clean
from ingestion.embed import embed_missing, embedded_hash, remembered_counts
from ingestion.load.sandbox import ParserProcess
from ingestion.overlay import with_edits
from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Chunk, Loaded, StoredText
from kbcore.domain.document import Document, Origin, Version, VersionState
from kbcore.domain.ids import chunk_id
from kbcore.embedding.interface import Embedder
from kbcore.errors import ItemFailed, ItemSkipped, NotFound, Unavailable
from kbcore.language.analyzer import terms
from kbcore.language.script import detect_language
from kbcore.language.weights import document_weights, pack
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata import documents, generations, versions
from kbcore.metadata.chunks import IndexedText, StagedChunk
from kbcore.metadata.generations import Generation

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total); raises when the job was cancelled, has ended elsewhere, or shall wait."""


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """Everything the stages work with."""

    platform: Platform
    publisher: Publisher
    parser: ParserProcess

    def run(self, document_id: str, number: int, progress: Progress) -> Version:
        """Take a version from received to indexed; returns it as it ended.

        Raises `ItemSkipped` or `ItemFailed` with the reason, `Unavailable` when a dependency does not answer.
        """
        version = self._version(document_id, number)
        while version.state in (VersionState.PENDING, VersionState.STAGED):
            if version.state is VersionState.PENDING:
                self._prepare(version, progress)
            progress("publish", 0, 1)
            self.publisher.publish_staged()
            # Pending again: another index generation went live meanwhile, for which it must be cut and embedded.
            version = self._version(document_id, number)
        return version

    def _prepare(self, version: Version, progress: Progress) -> None:
        """From received to staged for the generation that is live now."""
        stored = self._stored(version)
        if stored is None:
            stored = self._clean(version, self._load(version, progress), progress)
        generation = self._live()
        embedder = self.platform.embedder_for(generation.embedding)
        with self.platform.database.begin() as connection:
            indexed = chunk_rows.indexed_texts(connection, generation.id, version.document_id)
        counts = remembered_counts(embedder.count_tokens, indexed)
        chunks = self._chunk(version, stored, generation, counts, progress)
        self._embed(version, chunks, embedder, progress)
        self._stage(version, generation, chunks, indexed)

    def _stored(self, version: Version) -> StoredText | None:
        """The text, if it is there already: copied from another version, or parsed by an earlier try."""
        with self.platform.database.begin() as connection:
            return versions.stored_text(connection, version.document_id, version.number)

    def _live(self) -> Generation:
        with self.platform.database.begin() as connection:
            generation = generations.live(connection)
        if generation is None:
            raise Unavailable("there is no index yet; a worker makes it when it starts")
        return generation

    def _version(self, document_id: str, number: int) -> Version:
        self._document(document_id)
        with self.platform.database.begin() as connection:
            version = versions.get(connection, document_id, number)
        if version is None:
            raise _deleted()
        return version

    def _document(self, document_id: str) -> Document:
        with self.platform.database.begin() as connection:
            document = documents.get(connection, document_id)
        if document is None:
            raise _deleted()
        return document

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
        parsed = stored
        with self.platform.database.begin() as connection:
            if version.origin is Origin.REPARSE:
                stored = with_edits(connection, version, parsed)
            kept = versions.store_text(
                connection,
                version.document_id,
                version.number,
                stored,
                media_type=loaded.media_type,
                title=version.title,
                language=detect_language(stored.text),
                pages=loaded.pages,
                element_counts=counts,
                parsed_text=parsed.text,
            )
        if not kept:
            raise _ended()
        return stored

    def _chunk(
        self,
        version: Version,
        stored: StoredText,
        generation: Generation,
        count_tokens: Callable[[Sequence[str]], list[int]],
        progress: Progress,
    ) -> list[Chunk]:
        progress("chunk", 0, 1)
        settings = generation.chunking_of(self._document(version.document_id).space_id)
        return chunk(
            stored,
            title=version.title,
            count_tokens=count_tokens,
            max_tokens=settings["max_tokens"],
            min_tokens=settings["min_tokens"],
        )

    def _embed(self, version: Version, chunks: list[Chunk], embedder: Embedder, progress: Progress) -> None:
        def hold(connection: Connection) -> None:
            if not versions.hold_pending(connection, version.document_id, version.number):
                raise _ended()

        database, batch = self.platform.database, self.platform.settings.embedding.batch_size
        document = version.document_id
        for done in embed_missing(database, embedder, chunks, batch_size=batch, hold=hold, of_document=document):
            progress("embed", done, len(chunks))

    def _stage(
        self, version: Version, generation: Generation, chunks: list[Chunk], indexed: Mapping[bytes, IndexedText]
    ) -> None:
        """With the keyword weights of open rows that read the same; those of new texts are computed."""
        staged = []
        for item in chunks:
            key = embedded_hash(item)
            known = indexed.get(key)
            weights = known.terms if known else pack(document_weights(terms(item.embedded_text, generation.analyzer)))
            row_id = chunk_id(version.document_id, version.number, item.ordinal)
            staged.append(StagedChunk(row_id, item, key, weights))
        with self.platform.database.begin() as connection:
            if versions.mark_staged(connection, generation.id, version.document_id, version.number):
                chunk_rows.stage(connection, generation.id, version.document_id, version.number, staged)


def _deleted() -> ItemSkipped:
    return ItemSkipped("document_deleted", "the document was deleted before this version was ready")


def _ended() -> ItemSkipped:
    return ItemSkipped("document_deleted", "the version was given up or erased before it was ready")
