"""A workbench on real servers, documents to ingest with it, and an embedder that counts and can be interrupted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from ingestion.index.live import ensure_live
from ingestion.publish import Publisher, PublishStep
from ingestion.tasks import Workbench
from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification, Version
from kbcore.domain.ids import new_id
from kbcore.domain.job import Job, JobKind
from kbcore.embedding.interface import Embedder, Matrix
from kbcore.metadata import documents, generations, index_rows, jobs, spaces, versions
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.generations import Generation
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Policy
from tests.integration.counting import assert_statistics_are_exact

TEXT = "# One\n\nThe first part says a thing.\n\n# Two\n\nThe second part says another thing.\n"


class WatchedEmbedder:
    """Another embedder, which tells `before` of every batch and counts the passages."""

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner
        self.name, self.dimension, self.max_tokens = inner.name, inner.dimension, inner.max_tokens
        self.passages = 0
        self.before: Callable[[], None] | None = None

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """As the other one; `before` is called once, at the first batch after it was set."""
        before, self.before = self.before, None
        if before is not None:
            before()
        self.passages += len(texts)
        return self.inner.embed_passages(texts)

    def embed_query(self, text: str) -> Matrix:
        """As the other one."""
        return self.inner.embed_query(text)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As the other one."""
        return self.inner.count_tokens(texts)


@dataclass
class Works:
    """An ingestion half without Celery: `bench` and further ones run jobs when told to."""

    platform: Platform
    embedder: WatchedEmbedder
    benches: list[Workbench] = field(default_factory=list)
    space_id: str = ""

    def another_bench(self, reached: Callable[[PublishStep], None] = lambda _: None) -> Workbench:
        """A worker process's workbench; `reached` hears of its publications' steps."""
        ensure_live(self.platform)
        bench = Workbench(self.platform, Publisher(self.platform, reached=reached))
        self.benches.append(bench)
        return bench

    @property
    def generation(self) -> Generation:
        """The live one."""
        with self.platform.database.begin() as connection:
            live = generations.live(connection)
        assert live is not None
        return live

    @property
    def bench(self) -> Workbench:
        """The first one."""
        return self.benches[0]

    def upload(self, text: str, document_id: str | None = None) -> tuple[str, int, str]:
        """Receive a Markdown file; returns document, version and job."""
        stored = self.platform.blobs.put([text.encode()], max_bytes=1 << 20)
        with self.platform.database.begin() as connection:
            if document_id is None:
                document_id = new_id()
                new = NewDocument(document_id, self.space_id, None, "T", Classification.PUBLIC, (), {}, None, None, "t")
                documents.insert(connection, new)
            version = NewVersion(document_id, stored.sha256, stored.size, "a.md", "text/markdown", "T", "t")
            number = versions.insert(connection, version)
            job = jobs.insert(connection, JobKind.INGEST, created_by="t", document_id=document_id, version=number)
        return document_id, number, job

    def job(self, job_id: str) -> Job:
        """A job as SQL has it."""
        with self.platform.database.begin() as connection:
            job = jobs.get(connection, job_id)
        assert job is not None
        return job

    def version(self, document_id: str, number: int) -> Version:
        """A version as SQL has it."""
        with self.platform.database.begin() as connection:
            version = versions.get(connection, document_id, number)
        assert version is not None
        return version

    def cancel(self, job_id: str) -> None:
        """What the API does."""
        with self.platform.database.begin() as connection:
            assert jobs.request_cancel(connection, job_id)

    def retry(self, job_id: str) -> None:
        """What the API does."""
        job = self.job(job_id)
        assert job.document_id is not None
        assert job.version is not None
        with self.platform.database.begin() as connection:
            assert jobs.requeue(connection, job_id)
            versions.mark_pending(connection, job.document_id, job.version)

    def expire_leases(self) -> None:
        """As if every worker had been silent for too long."""
        self.execute("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 'running'")

    def execute(self, statement: str) -> None:
        """Run a statement."""
        with self.platform.database.begin() as connection:
            connection.execute(sa.text(statement))

    def assert_index_equals_sql(self) -> None:
        """Milvus holds exactly the rows that SQL says, with their stamps."""
        generation = self.generation
        with self.platform.database.begin() as connection:
            expected = dict(index_rows.expected(connection, generation.id))
        assert dict(self.platform.vectors.scan(generation.collection)) == expected

    def staged_rows(self) -> int:
        """Chunks that wait for a publication."""
        with self.platform.database.begin() as connection:
            count: int = connection.execute(
                sa.text("SELECT count(*) FROM chunks WHERE valid_from IS NULL")
            ).scalar_one()
        return count


@contextmanager
def open_works(platform: Platform) -> Iterator[Works]:
    """One bench, an empty collection, and a space; closed and dropped afterwards. Statistics must be right."""
    embedder = WatchedEmbedder(platform.embedder)
    platform.__dict__["embedder"] = embedder
    works = Works(platform, embedder)
    works.another_bench()
    collection = works.generation.collection
    platform.vectors.drop(collection)
    platform.vectors.create(collection, embedder.dimension)
    with platform.database.begin() as connection:
        works.space_id = spaces.create_space(connection, name="s", title="s", policy=Policy()).id
    try:
        yield works
        assert_statistics_are_exact(platform.database)
    finally:
        for bench in works.benches:
            bench.close()
        platform.vectors.drop(collection)
