"""Erasing on real PostgreSQL, Milvus and blobs: all of the document goes, nothing of others, and that is proven."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion.erase import Eraser, EraseStep
from ingestion.index.reconcile import counts_agree, reconcile
from kbcore.bootstrap import Platform
from kbcore.domain.document import VersionState
from kbcore.domain.evaluation import GoldenQuestion
from kbcore.domain.job import JobState
from kbcore.errors import Conflict, ItemFailed, NotFound
from kbcore.metadata import chunks, conversations, documents, golden_sets, idempotency, jobs, scrub
from kbcore.metadata import traces as trace_rows
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.tables import embeddings
from kbcore.metadata.tables import erasures as erasure_table
from kbcore.metadata.tables import idempotency as replies
from kbcore.signing import verify
from services.library.job_control import retry_job
from tests.integration.counting import assert_statistics_are_exact
from tests.integration.erasing import MARKER, OTHER, SECRET, SHARED, Traces, quietly
from tests.integration.ingesting import Works, open_works


class Killed(BaseException):
    """Ends an erasure where it stands; nothing catches it."""


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


@pytest.fixture
def traces(works: Works) -> Traces:
    traces = Traces.leave(works)
    places = {place.partition(" ")[0] for place in traces.left()}
    assert places >= {"chunks.text", "versions.text", "turns.answer", "turns.citations", "feedback.comment", "blob"}
    assert places >= {"documents.title", "documents.metadata", "versions.comment", "idempotency.body", "row"}
    return traces


def assert_other_is_whole(traces: Traces) -> None:
    works = traces.works
    assert works.version(traces.other, 1).state is VersionState.INDEXED
    with works.platform.database.begin() as connection:
        placed = chunks.of_version(connection, works.generation.id, traces.other, 1)
    assert len(placed) == 2
    assert works.platform.vectors.present(works.generation.collection, [item.chunk_id for item in placed]) == {
        item.chunk_id for item in placed
    }
    assert works.platform.blobs.exists(works.version(traces.other, 1).sha256)
    works.assert_index_equals_sql()
    assert counts_agree(works.platform, works.generation)


def test_nothing_is_left_and_it_is_certified(traces: Traces) -> None:
    shas = {traces.works.version(traces.secret, number).sha256 for number in (1, 2)}
    erasure = traces.erase()
    assert traces.left() == []
    assert_other_is_whole(traces)
    assert_statistics_are_exact(traces.works.platform.database)
    assert not any(traces.works.platform.blobs.exists(sha) for sha in shas)

    certificate = erasure.certificate
    assert certificate is not None
    assert verify(certificate)
    assert certificate["removed"] == {
        "versions": 2,
        "chunks": 3,
        "vectors": 3,
        "embeddings": 2,
        "blobs": 2,
        "turns": 2,
        "comments": 1,
        "replies": 1,
        "trace_questions": 1,
    }
    assert {item["what"]: item["count"] for item in certificate["kept"]} == {
        "ledger entries": 2,
        "embeddings": 1,
        "questions": 2,
    }
    assert {probe["found"] for probe in certificate["probes"]} == {0}
    places = {probe["where"].partition(" ")[0] for probe in certificate["probes"]}
    assert places == {"sql", "index", "original"}
    assert certificate["generations"][0]["collection"] == traces.works.generation.collection
    with traces.works.platform.database.begin() as connection:
        assert connection.execute(sa.select(erasure_table.c.found)).scalar_one() is None


def test_what_is_asked_while_it_is_erased_is_not_kept(traces: Traces) -> None:
    traces.order()
    with traces.works.platform.database.begin() as connection:
        trace_rows.insert(connection, traces.searched("late question", traces.secret))
        questions = connection.execute(sa.text("SELECT question FROM traces ORDER BY id DESC")).scalars().all()
    assert questions[0] == ""
    traces.erase()
    with traces.works.platform.database.begin() as connection:
        questions = connection.execute(sa.text("SELECT question FROM traces ORDER BY id")).scalars().all()
    assert questions == ["", "when is lunch?", ""]


def test_history_says_that_it_was_erased(traces: Traces) -> None:
    traces.admit()
    traces.erase()
    by_trace = {turn.trace_id: turn for turn in traces.turns()}
    for trace in ("a" * 32, "c" * 32):
        assert (by_trace[trace].answer, by_trace[trace].citations, by_trace[trace].reason) == (None, (), "erased")
        assert by_trace[trace].question == "When does it end?"
    with traces.works.platform.database.begin() as connection:
        stored = connection.execute(sa.text("SELECT answer FROM turns WHERE trace_id = repeat('b', 32)")).scalar_one()
        comment = connection.execute(sa.text("SELECT comment FROM feedback WHERE trace_id = repeat('b', 32)"))
        assert (stored, comment.scalar_one()) == (OTHER, f"yes, {OTHER}")


def test_the_ledger_still_adds_up(traces: Traces) -> None:
    before = traces.works.platform.database
    with before.begin() as connection:
        received = connection.execute(sa.text("SELECT count(*) FROM versions")).scalar_one()
    traces.erase()
    with before.begin() as connection:
        by_state = dict(connection.execute(sa.text("SELECT state, count(*) FROM versions GROUP BY state")).all())
    assert by_state == {"skipped": 2, "indexed": 1}
    assert sum(by_state.values()) == received
    for number in (1, 2):
        version = traces.works.version(traces.secret, number)
        assert (version.reason_code, version.file_name, version.purged_at is None) == ("erased", "", False)


@pytest.mark.parametrize("step", list(EraseStep))
def test_killed_at_any_step_the_next_worker_completes_it(traces: Traces, step: EraseStep) -> None:
    def reached(here: EraseStep) -> None:
        if here is step:
            raise Killed

    erasure = traces.order()
    with pytest.raises(Killed):
        Eraser(traces.works.platform, reached=reached).erase(erasure.id, quietly)
    with traces.works.platform.database.begin() as connection:
        assert documents.get(connection, traces.secret) is None  # read by nobody since it was ordered
    assert (traces.erasure(erasure.id).certificate is not None) == (step is EraseStep.CERTIFIED)

    Eraser(traces.works.platform).erase(erasure.id, quietly)
    assert traces.left() == []
    certificate = traces.erasure(erasure.id).certificate
    assert certificate is not None
    assert verify(certificate)
    removed = {name: certificate["removed"][name] for name in ("versions", "chunks", "vectors", "embeddings", "turns")}
    assert removed == {"versions": 2, "chunks": 3, "vectors": 3, "embeddings": 2, "turns": 2}
    assert certificate["removed"]["blobs"] == 2
    assert_other_is_whole(traces)
    assert_statistics_are_exact(traces.works.platform.database)


def test_a_second_erasure_is_the_first_one(traces: Traces) -> None:
    first = traces.erase()
    assert traces.order() == first
    Eraser(traces.works.platform).erase(first.id, quietly)
    assert traces.erasure(first.id) == first


def test_a_deleted_document_can_be_erased(traces: Traces) -> None:
    works = traces.works
    with works.platform.database.begin() as connection:
        documents.mark_deleted(connection, traces.secret, "t")
    assert traces.erase().certificate is not None
    assert traces.left() == []
    assert_statistics_are_exact(works.platform.database)


def test_an_unknown_document_is_not_found(traces: Traces) -> None:
    with pytest.raises(NotFound):
        traces.order("0198c0de-0000-7000-8000-000000000000")


def test_bytes_that_another_document_has_stay_and_it_is_said(traces: Traces) -> None:
    works = traces.works
    twin, _, job = works.upload(SHARED + SECRET)
    works.bench.run(job)
    certificate = traces.erase().certificate
    assert certificate is not None
    kept = {item["what"]: item for item in certificate["kept"]}
    assert (kept["blobs"]["count"], kept["blobs"]["why"]) == (1, "another document has the same bytes")
    assert kept["embeddings"]["count"] == 2
    assert certificate["removed"]["blobs"] == 1
    assert works.platform.blobs.exists(works.version(twin, 1).sha256)
    works.assert_index_equals_sql()


def test_neither_reconciling_nor_old_jobs_bring_it_back(traces: Traces) -> None:
    works = traces.works
    with works.platform.database.begin() as connection:
        old = [job for job in jobs.list_of(connection, limit=50) if job.document_id == traces.secret]
    traces.erase()
    repair = reconcile(works.platform, works.generation)
    assert (repair.written, repair.removed) == (0, 0)
    store, collection = works.platform.vectors, works.generation.collection
    store.drop(collection)
    store.create(collection, works.embedder.dimension)
    assert reconcile(works.platform, works.generation).written == 2
    for job in old:
        works.execute(f"UPDATE jobs SET state = 'failed' WHERE id = '{job.id}'")
        with pytest.raises(Conflict), works.platform.database.begin() as connection:
            retry_job(connection, traces.admin, job.id)
        works.execute(f"UPDATE jobs SET state = 'queued' WHERE id = '{job.id}'")
        works.bench.run(job.id)
    works.bench.publisher.publish_staged()
    works.bench.publisher.restamp(traces.secret)
    assert traces.left() == []
    assert_other_is_whole(traces)


def test_an_ingestion_under_way_keeps_nothing(traces: Traces) -> None:
    works = traces.works
    _, number, job = works.upload(SECRET + "# New\n\nWhat was new about the quetzalcoatlus this week.\n", traces.secret)
    certificates = []
    works.embedder.before = lambda: certificates.append(traces.erase().certificate)
    works.bench.run(job)
    assert certificates[0] is not None
    assert traces.left() == []
    assert works.version(traces.secret, number).reason_code == "erased"
    assert works.job(job).state is not JobState.RUNNING
    with works.platform.database.begin() as connection:
        needed = connection.execute(sa.text("SELECT count(DISTINCT embedded_hash) FROM chunks")).scalar_one()
        assert connection.execute(sa.select(sa.func.count()).select_from(embeddings)).scalar_one() == needed
    assert_other_is_whole(traces)


def test_vectors_of_a_version_that_was_given_up_go_too(traces: Traces) -> None:
    works = traces.works
    _, _, job = works.upload(SECRET + "# New\n\nWhat was new about the quetzalcoatlus this week.\n", traces.secret)

    def stop() -> None:
        works.cancel(job)

    works.embedder.before = stop
    works.bench.run(job)
    assert works.job(job).state is JobState.CANCELLED
    assert traces.erase().certificate is not None
    with works.platform.database.begin() as connection:
        needed = connection.execute(sa.text("SELECT count(DISTINCT embedded_hash) FROM chunks")).scalar_one()
        assert connection.execute(sa.select(sa.func.count()).select_from(embeddings)).scalar_one() == needed


def test_what_its_jobs_failed_on_is_forgotten(traces: Traces) -> None:
    works = traces.works
    _, _, failed = works.upload(SECRET + "again", traces.secret)
    _, _, running = works.upload(SECRET + "and again", traces.secret)
    reason = ItemFailed("broken_file", f"Line 7 is about {MARKER}", page=7)

    def end(job: str) -> None:
        with works.platform.database.begin() as connection:
            jobs.finish(connection, [job], JobState.FAILED, stage="failed", reason=reason)

    end(failed)
    works.execute(f"UPDATE jobs SET state = 'running' WHERE id = '{running}'")
    certificate = traces.erase().certificate
    assert certificate is not None
    assert {"where": "sql errors of jobs", "asked": None, "found": 0} in certificate["probes"]
    end(running)  # a worker that had not heard of it
    for job in (works.job(failed), works.job(running)):
        assert (job.error_code, job.error, job.error_page) == ("broken_file", "", None)
    assert traces.left() == []


def test_golden_questions_lose_it_as_an_answer(traces: Traces) -> None:
    asked = [
        GoldenQuestion("q1", "When does it end?", traces.admin.user_id, (traces.secret, traces.other)),
        GoldenQuestion("q2", "What is it?", traces.admin.user_id, (traces.secret,)),
        GoldenQuestion("q3", "When does the canteen open?", traces.admin.user_id, (traces.other,)),
    ]
    with traces.works.platform.database.begin() as connection:
        golden_sets.insert_set(connection, name="g", questions=asked, created_by=traces.admin.user_id)
    certificate = traces.erase().certificate
    assert certificate is not None
    assert {"where": "sql golden sets", "asked": None, "found": 0} in certificate["probes"]
    with traces.works.platform.database.begin() as connection:
        found = golden_sets.get(connection, "g")
    assert found is not None
    assert [(item.id, item.documents) for item in found.questions] == [
        ("q1", (traces.other,)),
        ("q2", ()),
        ("q3", (traces.other,)),
    ]


def test_waiting_jobs_of_the_document_end(traces: Traces) -> None:
    _, number, job = traces.works.upload(SECRET, traces.secret)
    traces.order()
    assert traces.works.job(job).state is JobState.CANCELLED
    assert traces.works.version(traces.secret, number).reason_code == "erased"


def test_an_answer_that_is_finished_too_late_is_not_kept(traces: Traces) -> None:
    traces.admit()
    traces.order()
    with traces.works.platform.database.begin() as connection:
        conversations.add_turn(connection, traces.turn(traces.secret, SECRET, "d" * 32))
    late = next(turn for turn in traces.turns() if turn.trace_id == "d" * 32)
    assert (late.answer, late.citations, late.reason) == (None, (), "erased")
    with traces.works.platform.database.begin() as connection:
        stored = connection.execute(sa.text("SELECT answer FROM turns WHERE trace_id = repeat('d', 32)")).scalar_one()
    assert stored == ""


def test_an_answer_being_kept_is_waited_for(traces: Traces) -> None:
    """The turn's transaction holds the document, so the erasure comes after it and finds the turn."""
    ended = threading.Event()

    def order() -> None:
        traces.order()
        ended.set()

    with traces.works.platform.database.begin() as connection:
        conversations.add_turn(connection, traces.turn(traces.secret, SECRET, "d" * 32))
        thread = threading.Thread(target=order)
        thread.start()
        assert not ended.wait(0.3)
    thread.join()
    traces.erase()
    assert traces.left() == []


def test_a_remembered_reply_is_not_replayed_but_its_key_stays_used(traces: Traces) -> None:
    traces.erase()
    with traces.works.platform.database.begin() as connection:
        with pytest.raises(NotFound):
            idempotency.begin(connection, traces.admin.user_id, "key", b"hash")
        assert connection.execute(sa.select(replies.c.status, replies.c.body)).one() == (404, None)


def test_what_cannot_be_removed_is_never_certified(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    erasure = traces.order()
    store = traces.works.platform.vectors
    monkeypatch.setattr(store, "delete_document", lambda *_: 0)
    monkeypatch.setattr(store, "delete", lambda *_: None)
    with pytest.raises(ItemFailed, match="still found in: index") as failed:
        Eraser(traces.works.platform).erase(erasure.id, quietly)
    assert failed.value.code == "erase_incomplete"
    assert traces.erasure(erasure.id).certificate is None
    monkeypatch.undo()
    Eraser(traces.works.platform).erase(erasure.id, quietly)
    assert traces.erasure(erasure.id).certificate is not None
    assert traces.left() == []


def test_a_blob_that_comes_back_is_found(traces: Traces) -> None:
    """Removed, but stored again by somebody before the probe: the round is repeated."""
    blobs = traces.works.platform.blobs
    seen: list[EraseStep] = []

    def reached(step: EraseStep) -> None:
        if step is EraseStep.NAMES_EMPTIED and step not in seen:
            blobs.put([(SHARED + SECRET).encode()], max_bytes=1 << 20)
        seen.append(step)

    erasure = traces.order()
    Eraser(traces.works.platform, reached=reached).erase(erasure.id, quietly)
    assert seen.count(EraseStep.PROBED) == 2
    assert traces.left() == []


def test_vectors_that_nobody_needs_are_found_unless_work_stores_them_now(traces: Traces) -> None:
    """Stored before the removal, by whomever: the round is repeated. Stored since: it can't be the document's."""
    seen: list[EraseStep] = []

    def reached(step: EraseStep) -> None:
        if step is EraseStep.ORPHANS_REMOVED:
            again = step in seen
            stored_at = datetime.now(UTC) + timedelta(hours=1 if again else -1)
            row = {"model": "m", "text_hash": b"new" if again else b"old", "vector": b"v", "stored_at": stored_at}
            with traces.works.platform.database.begin() as connection:
                connection.execute(sa.insert(embeddings).values(row))
        seen.append(step)

    erasure = traces.order()
    Eraser(traces.works.platform, reached=reached).erase(erasure.id, quietly)
    assert seen.count(EraseStep.PROBED) == 2
    with traces.works.platform.database.begin() as connection:
        left = connection.execute(sa.select(embeddings.c.text_hash).where(embeddings.c.model == "m")).scalars().all()
    assert left == [b"new"]


def test_nobody_waits_to_publish_while_conversations_are_searched(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, free = scrub.mentions, []

    def mentions(connection: sa.Connection, document_id: str) -> scrub.Mentions:
        with traces.works.platform.database.lock(PUBLISH_LOCK, wait=False) as lock:
            free.append(lock is not None)
        return original(connection, document_id)

    monkeypatch.setattr(scrub, "mentions", mentions)
    assert traces.erase().certificate is not None
    assert free == [True]


def test_the_worker_erases(traces: Traces) -> None:
    erasure = traces.order()
    assert erasure.job_id is not None
    traces.works.bench.run(erasure.job_id)
    assert traces.works.job(erasure.job_id).state is JobState.SUCCEEDED
    assert traces.erasure(erasure.id).certificate is not None


def test_a_failed_erasure_is_begun_again_when_it_is_asked_for_again(traces: Traces) -> None:
    erasure = traces.order()
    traces.works.execute(f"UPDATE jobs SET state = 'failed' WHERE id = '{erasure.job_id}'")
    again = traces.order()
    assert again.job_id == erasure.job_id
    assert traces.works.job(str(again.job_id)).state is JobState.QUEUED
