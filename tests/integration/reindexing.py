"""Index generations on a workbench: ordering, building, promoting, and reading one back epoch by epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kbcore.bootstrap import Platform
from kbcore.domain.document import FOREVER, Classification
from kbcore.domain.job import Job, JobKind
from kbcore.domain.principal import Caller
from kbcore.metadata import chunks, generations, index_rows, jobs, publications, versions
from kbcore.metadata.generations import Generation
from services.library.reindex import Reindex, order_promotion, order_reindex
from tests.integration.ingesting import Works, open_works

ADMIN = Caller("admin", "admin", None, frozenset(), Classification.RESTRICTED, is_admin=True)


@dataclass
class Indexes:
    """Works, and the indexes beside the live one."""

    works: Works

    @property
    def platform(self) -> Platform:
        """The adapters."""
        return self.works.platform

    def write(self, text: str, document_id: str | None = None) -> str:
        """Ingest a version; returns the document's id."""
        document_id, _, job = self.works.upload(text, document_id)
        self.works.bench.run(job)
        return document_id

    def delete(self, document_id: str) -> None:
        """Delete a document and close its rows."""
        from kbcore.metadata import documents

        with self.platform.database.begin() as connection:
            documents.mark_deleted(connection, document_id, "t")
            job = jobs.insert(connection, JobKind.WITHDRAW, created_by="t", document_id=document_id)
        self.works.bench.run(job)

    def order(self, **changes: object) -> tuple[int, str]:
        """Ask for another index; (its id, its job)."""
        with self.platform.database.begin() as connection:
            return order_reindex(connection, self.platform, ADMIN, Reindex(**changes))  # type: ignore[arg-type]

    def build(self, **changes: object) -> Generation:
        """Another index, built."""
        number, job = self.order(**changes)
        self.works.bench.run(job)
        return self.get(number)

    def promote(self, number: int) -> Job:
        """Let it go live; the ended job."""
        with self.platform.database.begin() as connection:
            job = order_promotion(connection, ADMIN, number)
        assert job is not None
        self.works.bench.run(job)
        return self.works.job(job)

    def follow(self) -> None:
        """What the housekeeper orders when a generation is behind."""
        with self.platform.database.begin() as connection:
            job = jobs.insert(connection, JobKind.FOLLOW, created_by="t")
        self.works.bench.run(job)

    def get(self, number: int) -> Generation:
        """An index as SQL has it."""
        with self.platform.database.begin() as connection:
            found = generations.get(connection, number)
        assert found is not None
        return found

    def history(self, generation: Generation, document_id: str) -> dict[int, str]:
        """What a reader at each epoch reads of a document through this index: rows of Milvus that SQL places."""
        with self.platform.database.begin() as connection:
            stamps = dict(self.platform.vectors.scan(generation.collection))
            last = publications.current_epoch(connection)
            published = [v for v in versions.list_of(connection, document_id) if v.valid_from is not None]
            placed = {v.number: chunks.of_version(connection, generation.id, document_id, v.number) for v in published}
        told = {}
        for epoch in range(last + 1):
            shown = next((v for v in published if v.valid_from <= epoch < (v.valid_to or FOREVER)), None)
            parts = [] if shown is None else placed[shown.number]
            told[epoch] = " ".join(
                " ".join(part.text.split())
                for part in parts
                if (stamp := stamps.get(part.chunk_id)) is not None and stamp.valid_from <= epoch < stamp.valid_to
            )
        return told

    def assert_equals_sql(self, generation: Generation) -> None:
        """Milvus holds exactly the rows that SQL says, and SQL counts its open rows and their terms right."""
        with self.platform.database.begin() as connection:
            expected = dict(index_rows.expected(connection, generation.id))
        assert dict(self.platform.vectors.scan(generation.collection)) == expected
        present = self.get(generation.id)
        assert present.rows == sum(stamp.valid_to == FOREVER for stamp in expected.values())


@contextmanager
def open_indexes(platform: Platform) -> Iterator[Indexes]:
    """Works with an empty live index; every collection is dropped afterwards."""
    with open_works(platform) as works:
        indexes = Indexes(works)
        try:
            yield indexes
        finally:
            with platform.database.begin() as connection:
                made = generations.list_of(connection)
            for each in made:
                platform.vectors.drop(each.collection)
