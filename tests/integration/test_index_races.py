"""What may come between two steps of the work on index generations, and must not do harm."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion.erase import Eraser
from ingestion.index.build import Builder
from ingestion.index.promote import PromoteStep, promote
from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.evaluation import GoldenQuestion
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import Conflict, ItemFailed, Unavailable
from kbcore.metadata import chunks, documents, golden_sets, jobs, publications, versions
from kbcore.metadata.generations import GenerationState
from services.library.erase import order_erasure
from services.library.reindex import GateOrder, order_drop, order_promotion
from tests.integration.erasing import quietly
from tests.integration.reindexing import ADMIN, Indexes, open_indexes

RULES = "# Rules\n\n" + " ".join(
    f"Rule {number} says a thing about June and {number * 7} days." for number in range(40)
)
MENU = "# Menu\n\n" + " ".join(f"Canteen {number} opens at noon and closes at {number * 3}." for number in range(40))
FINER = {"max_tokens": 64, "min_tokens": 0}


@pytest.fixture
def indexes(platform: Platform) -> Iterator[Indexes]:
    with open_indexes(platform) as opened:
        yield opened


def documents_in(indexes: Indexes, number: int) -> set[str]:
    with indexes.platform.database.begin() as connection:
        rows = connection.execute(
            sa.text("SELECT DISTINCT document_id FROM version_chunks WHERE generation_id = :id"), {"id": number}
        )
        return set(rows.scalars())


def test_a_publication_between_two_questions_is_not_lost(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    first = indexes.write(RULES)
    built = indexes.build(**FINER)
    indexes.write(RULES + " One more.", first)
    real, written = publications.current_epoch, []

    def meanwhile(connection: sa.Connection) -> int:
        epoch = real(connection)
        if not written:
            written.append("")
            written[0] = indexes.write(MENU)
        return epoch

    with monkeypatch.context() as patched:
        patched.setattr(publications, "current_epoch", meanwhile)
        with indexes.platform.database.begin() as connection:
            through, _ = publications.changed_after(connection, 0)
    with indexes.platform.database.begin() as connection:
        assert publications.current_epoch(connection) == through + 1  # it counts as not taken over
    indexes.promote(built.id)
    assert documents_in(indexes, built.id) == {first, written[0]}


def test_an_index_that_was_dropped_meanwhile_does_not_go_live(indexes: Indexes) -> None:
    document = indexes.write(RULES)
    live, built = indexes.works.generation, indexes.build(**FINER)

    def reached(step: PromoteStep) -> None:
        if step is PromoteStep.VERIFIED:
            with indexes.platform.database.begin() as connection:
                order_drop(connection, ADMIN, built.id)

    with pytest.raises(ItemFailed) as refused:
        promote(indexes.platform, Publisher(indexes.platform), built, quietly, reached=reached)
    assert refused.value.code == "not_promotable"
    assert indexes.works.generation.id == live.id
    assert documents_in(indexes, live.id) == {document}


def test_a_late_drop_does_not_touch_the_live_index(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.index.work._LAST_SEARCHES_S", 0.0)
    document = indexes.write(RULES)
    live = indexes.works.generation
    with indexes.platform.database.begin() as connection:
        job = jobs.insert(connection, JobKind.DROP, created_by="t", subject=str(live.id))
    indexes.works.bench.run(job)
    assert indexes.works.job(job).error_code == "index_live"
    assert documents_in(indexes, live.id) == {document}
    indexes.assert_equals_sql(live)


def test_who_lost_its_lock_cannot_write_the_live_index(indexes: Indexes) -> None:
    document = indexes.write(RULES)
    built = indexes.build(**FINER)
    indexes.write(RULES.replace("June", "July"), document)
    builder = Builder(indexes.platform, indexes.get(built.id), quietly)
    late = [builder._prepare(document)]
    indexes.promote(built.id)
    indexes.write(RULES.replace("June", "August"), document)
    with pytest.raises(Unavailable):
        builder._store(late)
    assert "August" in indexes.history(built, document)[3]
    indexes.assert_equals_sql(built)


def test_what_is_staged_in_an_index_survives_its_following(indexes: Indexes) -> None:
    document = indexes.write(RULES)
    old, new = indexes.works.generation, indexes.build(**FINER)
    indexes.promote(new.id)
    _, _, job = indexes.works.upload(RULES.replace("June", "July"), document)
    indexes.works.bench.run(job)
    _, waiting, _ = indexes.works.upload(RULES.replace("June", "August"), document)
    with indexes.platform.database.begin() as connection:  # as a worker leaves it that had seen the old one live
        connection.execute(
            sa.text("""
                INSERT INTO chunks (generation_id, id, document_id, text, embedded_hash, language, tokens, terms)
                VALUES (:old, 'staged-1', :document, 'x', '\\x00', 'en', 1, '\\x')
            """),
            {"old": old.id, "document": document},
        )
        connection.execute(
            sa.text("""
                INSERT INTO version_chunks (generation_id, document_id, version, ordinal, chunk_id, start, "end",
                    heading, kind)
                VALUES (:old, :document, :version, 0, 'staged-1', 0, 1, '{}', 'text')
            """),
            {"old": old.id, "document": document, "version": waiting},
        )
    indexes.follow()
    with indexes.platform.database.begin() as connection:
        placed = chunks.of_version(connection, old.id, document, waiting)
    assert [chunk.chunk_id for chunk in placed] == ["staged-1"]


def test_an_erased_document_does_not_stop_the_others_from_following(indexes: Indexes) -> None:
    erased, other = indexes.write(RULES), indexes.write(MENU)
    built = indexes.build(**FINER)
    indexes.write(RULES.replace("June", "July"), erased)
    indexes.write(MENU.replace("noon", "one"), other)
    with indexes.platform.database.begin() as connection:
        erasure = order_erasure(connection, ADMIN, erased, None)
    Eraser(indexes.platform).erase(erasure.id, quietly)
    indexes.follow()
    assert indexes.history(built, other) == indexes.history(indexes.works.generation, other)


def test_the_promotion_of_a_dropped_index_ends(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.index.work._LAST_SEARCHES_S", 0.0)
    indexes.write(RULES)
    built = indexes.build(**FINER)
    with indexes.platform.database.begin() as connection:
        promotion = order_promotion(connection, ADMIN, built.id)
        drop = order_drop(connection, ADMIN, built.id)
    assert promotion is not None
    indexes.works.bench.run(drop)
    indexes.works.bench.run(promotion)
    assert indexes.works.job(promotion).error_code == "not_promotable"


def test_a_model_that_is_not_configured_ends_the_build(indexes: Indexes) -> None:
    indexes.write(RULES)
    number, job = indexes.order(**FINER)
    indexes.works.execute("UPDATE generations SET embedding = 'gone@1' WHERE state = 'building'")
    indexes.works.bench.run(job)
    assert indexes.works.job(job).error_code == "embedding_mismatch"
    assert indexes.get(number).state is GenerationState.FAILED
    indexes.order(**FINER)  # nothing is in the way of another one


def test_a_job_that_is_to_be_cancelled_is_not_begun(indexes: Indexes) -> None:
    indexes.write(RULES)
    number, job = indexes.order(**FINER)
    indexes.works.cancel(job)
    indexes.works.embedder.passages = 0
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.CANCELLED
    assert indexes.get(number).state is GenerationState.CANCELLED  # in the same transaction
    assert indexes.works.embedder.passages == 0


def test_a_repetition_after_a_clean_up_that_failed_is_whole(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    indexes.write(RULES)
    number, job = indexes.order(**FINER)
    store = indexes.platform.vectors

    def down(_collection: str) -> None:
        raise Unavailable("down")

    def cancelled(self: Builder) -> None:
        indexes.works.cancel(job)
        monkeypatch.setattr(store, "drop", down)
        self._advance(0)

    with monkeypatch.context() as patched:
        patched.setattr(Builder, "catch_up", cancelled)
        indexes.works.bench.run(job)
    monkeypatch.undo()
    assert indexes.get(number).state is GenerationState.CANCELLED
    with indexes.platform.database.begin() as connection:
        assert jobs.requeue(connection, job)
    indexes.works.bench.run(job)
    assert indexes.get(number).state is GenerationState.READY
    indexes.assert_equals_sql(indexes.get(number))


def test_the_golden_set_of_a_gate_stays(indexes: Indexes) -> None:
    indexes.write(RULES)
    with indexes.platform.database.begin() as connection:
        questions = [GoldenQuestion(str(number), "?", "admin", ("d",)) for number in range(5)]
        made = golden_sets.insert_set(connection, name="faq", questions=questions, created_by="admin")
    indexes.order(gate=GateOrder("faq", None, 0.02))
    with indexes.platform.database.begin() as connection, pytest.raises(Conflict) as refused:
        golden_sets.delete(connection, made.id)
    assert refused.value.code == "golden_set_in_use"


def test_a_worker_that_died_before_the_gate_was_started_leaves_it_to_the_next(indexes: Indexes) -> None:
    indexes.write(RULES)
    with indexes.platform.database.begin() as connection:
        questions = [GoldenQuestion(str(number), "?", "admin", ("d",)) for number in range(5)]
        golden_sets.insert_set(connection, name="faq", questions=questions, created_by="admin")
    number, job = indexes.order(gate=GateOrder("faq", None, 0.02))
    indexes.works.bench.run(job)
    started = indexes.get(number).evaluation_id
    assert started is not None
    indexes.works.execute("UPDATE generations SET evaluation_id = NULL WHERE state = 'ready'")
    indexes.works.execute("UPDATE jobs SET state = 'queued' WHERE kind = 'reindex'")
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.SUCCEEDED
    assert indexes.get(number).evaluation_id not in (None, started)


def test_deaths_of_workers_count_only_while_the_build_gets_no_further(indexes: Indexes) -> None:
    _, job = indexes.order()
    seen = []
    for done in (2, 5, 5, 5):
        with indexes.platform.database.begin() as connection:
            jobs.claim(connection, job, "w", 60.0)
            jobs.progress(connection, job, "w", "build", done, 9)
        seen.append(indexes.works.job(job).attempts)
        indexes.works.expire_leases()
    assert seen == [1, 1, 2, 3]


def test_next_years_rule_that_is_ready_first_does_not_take_the_place_of_todays(indexes: Indexes) -> None:
    document = indexes.write("# R\n\nThe old rule.\n")
    _, today, today_job = indexes.works.upload("# R\n\nThe corrected rule of today.\n", document)
    _, later, later_job = indexes.works.upload("# R\n\nThe rule of next year.\n", document)
    with indexes.platform.database.begin() as connection:
        versions.restate(connection, document, later, effective_from=datetime.now(UTC) + timedelta(days=300))
    indexes.works.bench.run(later_job)
    indexes.works.bench.run(today_job)
    with indexes.platform.database.begin() as connection:
        present = documents.get(connection, document)
    assert present is not None
    assert present.version == today
    assert indexes.works.version(document, later).valid_to == indexes.works.version(document, today).valid_to
