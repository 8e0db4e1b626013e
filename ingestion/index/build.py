"""Build: an index generation beside the live one, from the text in SQL; and keep it up with what is published.

First pass: every document, in the order of their keys; `generations.cursor` says how far it is, so a killed worker's
successor goes on there. Then, and as long as the generation is kept: the documents that later publications changed
(`generations.built_through` says up to which). A document's rows are replaced as a whole, which may be repeated.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection

from ingestion.chunk.chunker import chunk
from ingestion.embed import TokenCounts, counted_once, embed_missing
from ingestion.index.project import PublishedVersion, project
from ingestion.index.write import Prepared, write
from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Chunk, StoredText
from kbcore.domain.document import Version
from kbcore.errors import NotFound, Unavailable
from kbcore.metadata import documents, generation_rows, generations, publications, versions
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import Generation

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) between batches; raises when the work shall stop."""

_DOCUMENTS_AT_A_TIME = 100
_ROUNDS = 3
_ROWS_AT_A_TIME = 256
"""Passages that are embedded together, those of like length side by side, and written in one go."""


class Builder:
    """Builds one generation; callers see to it that it is the only one."""

    def __init__(self, platform: Platform, generation: Generation, progress: Progress) -> None:
        self._platform = platform
        self._generation = generation
        self._report = progress
        self._embedder = platform.embedder_for(generation.embedding)
        self._stage, self._done, self._total = "build", 0, 0

    def first_pass(self) -> None:
        """Every document; goes on where it was interrupted."""
        cursor = self._present().cursor
        while cursor is not None:
            with self._platform.database.begin() as connection:
                done, total = generation_rows.progress(connection, cursor)
                found = generation_rows.next_documents(connection, cursor, _DOCUMENTS_AT_A_TIME)
            self._begin("build", done, total)
            for group in self._prepared(document_id for document_id, _ in found):
                last = group[-1].document_id
                self._store(group, cursor=next(key for document_id, key in found if document_id == last))
            cursor = found[-1][1] if found else None
        with self._platform.database.begin() as connection:
            generations.update(connection, self._generation.id, cursor=None)

    def catch_up(self, held: Connection | None = None) -> None:
        """Take over what was published since. With the publish lock `held`, it is up to date until that is freed.

        Without it, some publications may be left: where much is published, catching up would have no end.
        """
        for _ in range(_ROUNDS):
            through = self._present().built_through
            if through is None:
                raise NotFound("index")
            with self._platform.database.begin() as connection:
                epoch, changed = publications.changed_after(connection, through)
            if epoch == through:
                return
            self._begin("catch_up", 0, len(changed))
            for group in self._prepared(changed):
                self._store(group, held=held)
            with self._platform.database.begin() as connection:
                generations.update(connection, self._generation.id, built_through=epoch)

    def _present(self) -> Generation:
        with self._platform.database.begin() as connection:
            present = generations.get(connection, self._generation.id)
        if present is None:
            raise NotFound("index")
        return present

    def _prepared(self, document_ids: Iterable[str]) -> Iterator[list[Prepared]]:
        """What the documents shall be, in groups of some hundred rows."""
        group: list[Prepared] = []
        rows = 0
        for document_id in document_ids:
            group.append(self._prepare(document_id))
            rows += len(group[-1].projection.rows)
            if rows >= _ROWS_AT_A_TIME or len(group) >= _DOCUMENTS_AT_A_TIME:
                yield group
                group, rows = [], 0
        if group:
            yield group

    def _prepare(self, document_id: str) -> Prepared:
        with self._platform.database.snapshot() as connection:
            document = documents.get(connection, document_id)
            published = [] if document is None else versions.published_texts(connection, document_id)
        if document is None:
            return Prepared(document_id, frozenset(), project(document_id, ()))
        settings = self._generation.chunking_of(document.space_id)
        counts = counted_once(self._embedder.count_tokens)  # versions of a document have most of their text in common
        cut = [
            PublishedVersion(
                version.number,
                version.valid_from or 0,
                version.valid_to or 0,
                self._chunk(version, stored, settings, counts),
            )
            for version, stored in published
        ]
        return Prepared(document_id, frozenset(each.number for each in cut), project(document_id, cut))

    def _chunk(
        self, version: Version, stored: StoredText, settings: Mapping[str, int], counts: TokenCounts
    ) -> list[Chunk]:
        return chunk(
            stored,
            title=version.title,
            count_tokens=counts,
            max_tokens=settings["max_tokens"],
            min_tokens=settings["min_tokens"],
        )

    def _store(self, group: list[Prepared], *, cursor: int | None = None, held: Connection | None = None) -> None:
        """Embed what has no vector yet, then replace these documents' rows."""
        batch = self._platform.settings.embedding.batch_size
        chunks = [row.chunk for each in group for row in each.projection.rows]

        def hold(connection: Connection) -> None:
            written = [each.document_id for each in group if each.projection.rows]
            if not documents.hold_unerased(connection, written):
                raise Unavailable("a document was erased while it was indexed; the work is begun again without it")

        for _ in embed_missing(self._platform.database, self._embedder, chunks, batch_size=batch, hold=hold):
            self._advance(0)
        with self._locked(held) as connection:
            write(self._platform, self._generation, connection, group, cursor=cursor)
        self._advance(len(group))

    @contextmanager
    def _locked(self, held: Connection | None) -> Iterator[Connection]:
        """The publish lock for the moment of writing: publications wait for it, readers do not."""
        if held is not None:
            yield held
            return
        with self._platform.database.lock(PUBLISH_LOCK) as connection:
            assert connection is not None
            yield connection

    def _begin(self, stage: str, done: int, total: int) -> None:
        self._stage, self._done, self._total = stage, done, total
        self._advance(0)

    def _advance(self, documents_done: int) -> None:
        self._done += documents_done
        self._report(self._stage, self._done, self._total)
