"""Jobs through everything that can go wrong on the way: every received item ends once, with its reason."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingestion.publish import Publisher, PublishStep
from ingestion.schedule import Housekeeper
from kbcore.bootstrap import Platform
from kbcore.domain.document import VersionState
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import Unavailable
from kbcore.metadata import documents, jobs
from kbcore.metadata.database import PUBLISH_LOCK
from tests.integration.ingesting import TEXT, Works, open_works

LONG = "\n\n".join(f"# Part {part}\n\n" + f"Sentence number {part} is about something. " * 12 for part in range(20))


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


def test_a_changed_passage_is_embedded_and_the_others_are_not(works: Works) -> None:
    document, _, first = works.upload(LONG)
    works.bench.run(first)
    before = works.embedder.passages
    _, number, second = works.upload(LONG.replace("Sentence number 7 is", "Sentence number seven is"), document)
    works.bench.run(second)
    assert before >= 20
    assert works.embedder.passages == before + 1
    assert works.version(document, number).state is VersionState.INDEXED


def test_a_worker_whose_lease_ran_out_leaves_the_job_to_its_successor(works: Works) -> None:
    document, number, job = works.upload(TEXT)
    successor = works.another_bench()

    def taken_over() -> None:
        works.expire_leases()
        successor.run(job)
        assert works.version(document, number).state is VersionState.INDEXED

    works.embedder.before = taken_over
    works.bench.run(job)
    assert works.job(job).state is JobState.SUCCEEDED
    assert works.job(job).attempts == 2
    assert works.version(document, number).state is VersionState.INDEXED
    works.assert_index_equals_sql()


def test_a_failure_of_a_worker_that_lost_its_job_does_not_end_it(works: Works) -> None:
    document, number, job = works.upload(TEXT)
    successor = works.another_bench()

    def taken_over() -> None:
        works.expire_leases()
        with works.platform.database.begin() as connection:
            assert jobs.claim(connection, job, successor.name, 60)
        raise ValueError("the slow one fails")

    works.embedder.before = taken_over
    works.bench.run(job)
    assert works.job(job).state is JobState.RUNNING
    assert works.version(document, number).state is VersionState.PENDING


@pytest.mark.parametrize("renews", [True, False])
def test_only_jobs_in_work_are_kept(works: Works, renews: bool) -> None:
    """A job whose release SQL did not hear of would else be held for as long as the worker lives."""
    _, _, job = works.upload(TEXT)
    with works.platform.database.begin() as connection:
        assert jobs.claim(connection, job, works.bench.name, -1)
    if renews:
        works.bench.renew_leases()
    Housekeeper(works.bench).sweep()
    assert works.job(job).state is JobState.QUEUED


def test_a_job_in_work_is_kept(works: Works) -> None:
    _, _, job = works.upload(TEXT)

    def late() -> None:
        works.expire_leases()
        works.bench.renew_leases()
        with works.platform.database.begin() as connection:
            assert jobs.expire(connection) == []

    works.embedder.before = late
    works.bench.run(job)
    assert works.job(job).state is JobState.SUCCEEDED
    assert works.embedder.before is None


def test_a_repeated_delivery_is_not_taken_by_the_worker_that_has_the_job(works: Works) -> None:
    _, _, job = works.upload(TEXT)

    def again() -> None:
        works.expire_leases()
        works.bench.run(job)

    works.embedder.before = again
    works.bench.run(job)
    assert (works.job(job).state, works.job(job).attempts) == (JobState.SUCCEEDED, 1)


def test_a_worker_that_goes_down_hands_its_job_on_with_what_is_done(works: Works) -> None:
    document, number, job = works.upload(LONG)
    works.embedder.before = works.bench.stop_soon
    works.bench.run(job)
    done = works.embedder.passages
    assert (works.job(job).state, works.job(job).attempts) == (JobState.QUEUED, 0)
    works.bench.run(job)
    assert works.job(job).state is JobState.QUEUED  # takes no more
    works.another_bench().run(job)
    assert works.version(document, number).state is VersionState.INDEXED
    assert 0 < done < works.embedder.passages == 20


@pytest.mark.parametrize("stage", ["load", "embed"])
def test_a_cancelled_job_ends_its_version_and_a_repeat_indexes_it(works: Works, stage: str) -> None:
    document, number, job = works.upload(TEXT)
    if stage == "load":
        works.cancel(job)
    else:
        works.embedder.before = lambda: works.cancel(job)
    works.bench.run(job)
    assert works.job(job).state is JobState.CANCELLED
    assert (works.version(document, number).state, works.version(document, number).reason_code) == (
        VersionState.SKIPPED,
        "cancelled",
    )
    assert works.staged_rows() == 0
    works.retry(job)
    works.bench.run(job)
    assert works.job(job).state is JobState.SUCCEEDED
    assert works.version(document, number).state is VersionState.INDEXED
    works.assert_index_equals_sql()


@pytest.mark.parametrize("step", list(PublishStep))
def test_cancelled_while_another_worker_publishes_it(works: Works, step: PublishStep) -> None:
    """Whichever comes first holds, whole: published with its rows, or skipped without any."""
    document, number, job = works.upload(TEXT)
    _stage_only(works, job)
    other = works.another_bench()

    def reached(here: PublishStep) -> None:
        if here is step and works.job(job).state is not JobState.SUCCEEDED and not works.job(job).cancel_requested:
            works.cancel(job)
            other.run(job)

    Publisher(works.platform, reached=reached).publish_staged()
    version = works.version(document, number)
    published = step is PublishStep.COMMITTED
    assert version.state is (VersionState.INDEXED if published else VersionState.SKIPPED)
    assert works.job(job).state is (JobState.SUCCEEDED if published else JobState.CANCELLED)
    with works.platform.database.begin() as connection:
        found = documents.get(connection, document)
    assert found is not None
    assert found.version == (number if published else 0)
    assert works.staged_rows() == 0
    works.assert_index_equals_sql()


def test_a_lost_file_ends_the_version_with_a_reason(works: Works) -> None:
    document, number, job = works.upload(TEXT)
    works.platform.blobs.delete(works.version(document, number).sha256)
    works.bench.run(job)
    assert works.job(job).error_code == "file_missing"
    assert works.version(document, number).state is VersionState.FAILED


def test_a_job_of_a_deleted_document_says_so(works: Works) -> None:
    document, number, job = works.upload(TEXT)

    def deleted() -> None:
        with works.platform.database.begin() as connection:
            documents.mark_deleted(connection, document, "t")

    works.embedder.before = deleted
    works.bench.run(job)
    assert works.job(job).state is JobState.SUCCEEDED
    assert works.version(document, number).reason_code == "document_deleted"
    assert works.staged_rows() == 0


def test_repeating_the_job_of_a_published_version_changes_nothing(works: Works) -> None:
    document, number, job = works.upload(TEXT)
    works.bench.run(job)
    works.execute("UPDATE jobs SET state = 'failed'")
    works.retry(job)
    works.bench.run(job)
    assert works.version(document, number).state is VersionState.INDEXED
    assert works.job(job).state is JobState.SUCCEEDED
    works.assert_index_equals_sql()


def test_a_publisher_that_loses_its_lock_commits_nothing_and_has_the_index_compared(works: Works) -> None:
    _, _, job = works.upload(TEXT)
    _stage_only(works, job)

    def reached(here: PublishStep) -> None:
        if here is PublishStep.ROWS_CLOSED and not works.job(job).cancel_requested:
            works.cancel(job)
            _end_lock_holder(works)

    publisher = Publisher(works.platform, reached=reached)
    with pytest.raises(Unavailable):
        publisher.publish_staged()
    works.another_bench().run(job)
    assert works.job(job).state is JobState.CANCELLED
    publisher.publish_staged()
    with works.platform.database.begin() as connection:
        (ordered,) = [each for each in jobs.list_of(connection, limit=10) if each.kind is JobKind.RECONCILE]
    works.bench.run(ordered.id)
    assert works.job(ordered.id).state is JobState.SUCCEEDED
    works.assert_index_equals_sql()


def test_a_collection_that_vanished_is_made_again(works: Works) -> None:
    _, _, first = works.upload(TEXT)
    works.bench.run(first)
    works.platform.vectors.drop(works.generation.collection)
    document, number, second = works.upload(LONG)
    works.bench.run(second)
    assert works.job(second).state is JobState.QUEUED
    works.bench.run(second)
    with works.platform.database.begin() as connection:
        (ordered,) = [each for each in jobs.list_of(connection, limit=10) if each.kind is JobKind.RECONCILE]
    works.bench.run(ordered.id)
    works.bench.run(second)
    assert works.version(document, number).state is VersionState.INDEXED
    works.assert_index_equals_sql()


def test_a_job_that_later_ones_have_overtaken_is_sent_again(works: Works) -> None:
    _, _, lost = works.upload(TEXT)
    _, _, running = works.upload(TEXT)
    _, _, waiting = works.upload(TEXT)
    works.execute(f"UPDATE jobs SET sent_at = now() - interval '5 minutes' WHERE id = '{lost}'")
    with works.platform.database.begin() as connection:
        assert jobs.overtaken(connection, by_s=60, limit=10) == []
        assert jobs.claim(connection, running, "w", 60)
        assert jobs.overtaken(connection, by_s=60, limit=10) == [lost]
        assert jobs.overtaken(connection, by_s=60, limit=10) == []
    assert works.job(waiting).state is JobState.QUEUED


def _stage_only(works: Works, job: str) -> None:
    """Take a job up to publication, where its worker dies."""

    def dies(_: PublishStep) -> None:
        raise _DiedError

    with pytest.raises(_DiedError):
        works.another_bench(dies).run(job)
    works.expire_leases()
    with works.platform.database.begin() as connection:
        jobs.expire(connection)
    assert works.staged_rows() > 0


class _DiedError(BaseException):
    """A kill; nothing catches it."""


def _end_lock_holder(works: Works) -> None:
    statement = """
        SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND classid = :high AND objid = :low
    """
    key = {"high": PUBLISH_LOCK >> 32, "low": PUBLISH_LOCK & 0xFFFFFFFF}
    with works.platform.database.begin() as connection:
        assert connection.execute(sa.text(statement), key).all()
