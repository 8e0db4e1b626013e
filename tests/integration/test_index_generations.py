"""Building, following, promoting and leaving index generations, on real PostgreSQL and Milvus."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingestion.index.promote import PromoteStep, promote
from ingestion.publish import Publisher, PublishStep
from ingestion.schedule import Housekeeper
from kbcore.bootstrap import Platform
from kbcore.domain.document import VersionState
from kbcore.domain.evaluation import GoldenQuestion
from kbcore.domain.job import JobKind, JobState
from kbcore.embedding.truncated import TruncatedEmbedder
from kbcore.errors import Conflict, NotFound, Unavailable, Unprocessable
from kbcore.metadata import documents, evaluations, generations, golden_sets, jobs
from kbcore.metadata.generations import GenerationState
from services.library.reindex import GateOrder, documents_to_reparse, order_drop, order_reparse, order_rollback
from tests.integration.reindexing import ADMIN, Indexes, open_indexes
from tests.integration.test_publish import Killed

LONG = "\n\n".join(
    f"# Part {part}\n\n" + f"Rule {part} says a thing about travel and leave. " * 12 for part in range(4)
)


@pytest.fixture
def indexes(platform: Platform) -> Iterator[Indexes]:
    with open_indexes(platform) as opened:
        yield opened


def edited(part: int, word: str) -> str:
    return LONG.replace(f"Rule {part} says", f"Rule {part} {word}")


def test_another_index_holds_the_whole_history(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    indexes.write(edited(2, "demands"), document)
    indexes.write(LONG, document)
    gone = indexes.write("# Gone\n\nThis document will be deleted.")
    indexes.delete(gone)
    live = indexes.works.generation
    built = indexes.build(max_tokens=64, min_tokens=0)
    assert built.state is GenerationState.READY
    assert built.rows > live.rows
    assert indexes.history(built, document) == indexes.history(live, document)
    assert "".join(indexes.history(built, gone).values()) == ""  # nobody reads it, at no epoch
    indexes.assert_equals_sql(built)


def test_a_plain_rebuild_embeds_nothing(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    indexes.write(edited(1, "asks"), document)
    indexes.works.embedder.passages = 0
    built = indexes.build()
    assert indexes.works.embedder.passages == 0
    assert indexes.history(built, document) == indexes.history(indexes.works.generation, document)


def test_a_killed_build_goes_on_where_it_was(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.index.build._ROWS_AT_A_TIME", 4)
    written = [indexes.write(LONG.replace("Rule", f"Document {number}, rule")) for number in range(4)]
    number, job = indexes.order(max_tokens=64, min_tokens=0)

    def die() -> None:
        raise Unavailable("the worker is going down")

    indexes.works.embedder.before = lambda: setattr(indexes.works.embedder, "before", die)
    indexes.works.bench.run(job)
    half = indexes.get(number)
    assert half.state is GenerationState.BUILDING
    assert half.cursor
    indexes.works.embedder.passages = 0
    indexes.works.bench.run(job)
    whole = indexes.get(number)
    assert whole.state is GenerationState.READY
    assert 0 < indexes.works.embedder.passages < whole.rows
    for document in written:
        assert indexes.history(whole, document) == indexes.history(indexes.works.generation, document)
    indexes.assert_equals_sql(whole)


def test_what_is_published_meanwhile_comes_too(indexes: Indexes) -> None:
    document, deleted = indexes.write(LONG), indexes.write("# Other\n\nWill go.")
    number, job = indexes.order(max_tokens=64, min_tokens=0)

    def meanwhile() -> None:
        indexes.write(edited(0, "changes"), document)
        indexes.delete(deleted)
        indexes.write("# New\n\nThis came while the index was built.")

    indexes.works.embedder.before = meanwhile
    indexes.works.bench.run(job)
    built, live = indexes.get(number), indexes.works.generation
    assert built.state is GenerationState.READY
    with indexes.platform.database.begin() as connection:
        ids = connection.execute(sa.text("SELECT id FROM documents WHERE deleted_at IS NULL")).scalars().all()
    assert len(ids) == 2
    for each in ids:
        assert indexes.history(built, each) == indexes.history(live, each)
    indexes.assert_equals_sql(built)


def test_a_cancelled_build_leaves_nothing_and_can_be_repeated(indexes: Indexes) -> None:
    indexes.write(LONG)
    number, job = indexes.order(max_tokens=64, min_tokens=0)
    indexes.works.cancel(job)
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.CANCELLED
    assert indexes.get(number).state is GenerationState.CANCELLED
    with pytest.raises(Unavailable):
        indexes.platform.vectors.count(indexes.get(number).collection)
    with indexes.platform.database.begin() as connection:
        assert jobs.requeue(connection, job)
    indexes.works.bench.run(job)
    assert indexes.get(number).state is GenerationState.READY
    indexes.assert_equals_sql(indexes.get(number))


def test_promotion_and_the_way_back(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    old, new = indexes.works.generation, indexes.build(max_tokens=64, min_tokens=0)
    assert indexes.promote(new.id).state is JobState.SUCCEEDED
    assert (indexes.get(old.id).state, indexes.get(new.id).state) == (GenerationState.RETIRED, GenerationState.LIVE)
    indexes.write(edited(3, "now asks"), document)
    indexes.follow()
    assert indexes.history(old, document) == indexes.history(new, document)
    with indexes.platform.database.begin() as connection:
        before, job = order_rollback(connection, ADMIN, new.id)
    assert before == old.id
    indexes.works.bench.run(job)
    assert indexes.works.generation.id == old.id
    for generation in (old, new):
        indexes.assert_equals_sql(generation)
    indexes.write(edited(3, "asks again"), document)
    assert "asks again" in indexes.history(old, document)[3]


def test_an_index_that_is_behind_catches_up_before_it_goes_live(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    new = indexes.build(max_tokens=64, min_tokens=0)
    indexes.write(edited(3, "now asks"), document)
    old = indexes.works.generation
    indexes.promote(new.id)
    assert indexes.history(new, document) == indexes.history(old, document)


@pytest.mark.parametrize("step", list(PromoteStep))
def test_killed_at_any_step_one_index_is_live_and_whole(indexes: Indexes, step: PromoteStep) -> None:
    document = indexes.write(LONG)
    old, new = indexes.works.generation, indexes.build(max_tokens=64, min_tokens=0)
    indexes.write(edited(1, "asks"), document)
    expected = indexes.history(old, document)

    def reached(here: PromoteStep) -> None:
        if here is step:
            raise Killed

    with pytest.raises(Killed):
        promote(indexes.platform, Publisher(indexes.platform), new, lambda *_: None, reached=reached)
    live = indexes.works.generation
    assert live.id == (new.id if step is PromoteStep.SWITCHED else old.id)
    assert indexes.history(live, document) == expected
    promote(indexes.platform, Publisher(indexes.platform), new, lambda *_: None)
    assert indexes.works.generation.id == new.id
    assert indexes.history(new, document) == expected
    indexes.assert_equals_sql(new)


@pytest.mark.parametrize("step", [PublishStep.NOTED, PublishStep.ROWS_WRITTEN, PublishStep.ROWS_CLOSED])
def test_a_killed_publication_is_undone_before_the_switch(indexes: Indexes, step: PublishStep) -> None:
    document = indexes.write(LONG)
    new = indexes.build()
    _, number, job = indexes.works.upload(edited(1, "asks"), document)

    def reached(here: PublishStep) -> None:
        if here is step:
            raise Killed

    with pytest.raises(Killed):
        indexes.works.another_bench(reached).run(job)
    old = indexes.works.generation
    indexes.promote(new.id)
    indexes.assert_equals_sql(old)
    indexes.works.expire_leases()
    indexes.works.bench.run(job)  # staged for the old index: cut and embedded again for the new one
    assert indexes.works.version(document, number).state is VersionState.INDEXED
    assert "Rule 1 asks" in indexes.history(new, document)[2]
    assert indexes.works.staged_rows() == 0
    indexes.assert_equals_sql(new)


def test_a_version_staged_while_the_index_is_switched_is_published_in_the_new_one(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    new = indexes.build(max_tokens=64, min_tokens=0)
    _, number, job = indexes.works.upload(edited(1, "asks"), document)
    indexes.works.embedder.before = lambda: indexes.promote(new.id) and None
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.SUCCEEDED
    assert indexes.works.version(document, number).state is VersionState.INDEXED
    assert "Rule 1 asks" in indexes.history(new, document)[2]
    indexes.assert_equals_sql(new)


def test_other_vectors_of_another_length(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    shorter = TruncatedEmbedder(indexes.works.embedder, 64)
    indexes.platform.__dict__["_other_embedders"] = {"short": shorter}
    built = indexes.build(embedding="short")
    assert (built.embedding, built.dimension) == (shorter.name, 64)
    indexes.promote(built.id)
    indexes.write(edited(1, "asks"), document)
    assert "Rule 1 asks" in indexes.history(built, document)[2]


def test_one_space_cut_finer_and_later_uploads_too(indexes: Indexes) -> None:
    indexes.write(LONG)
    built = indexes.build(spaces=("s",), max_tokens=64, min_tokens=0)
    assert built.chunking == indexes.works.generation.chunking
    assert built.rows > indexes.works.generation.rows
    indexes.promote(built.id)
    before = indexes.works.generation.rows
    indexes.write(LONG.replace("Rule", "Another rule"))
    assert indexes.works.generation.rows > before + 4


def test_a_changed_classification_reaches_every_index(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    built = indexes.build()
    with indexes.platform.database.begin() as connection:
        documents.update(connection, document, classification=3)
        job = jobs.insert(connection, JobKind.RESTAMP, created_by="t", document_id=document)
    indexes.works.bench.run(job)
    for generation in (built, indexes.works.generation):
        indexes.assert_equals_sql(generation)


def test_a_dropped_index_is_gone_and_what_answers_is_kept(indexes: Indexes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.index.work._LAST_SEARCHES_S", 0.0)
    indexes.write(LONG)
    old, new = indexes.works.generation, indexes.build(max_tokens=64, min_tokens=0)
    indexes.promote(new.id)
    with indexes.platform.database.begin() as connection, pytest.raises(Conflict, match="live"):
        order_drop(connection, ADMIN, new.id)
    with indexes.platform.database.begin() as connection:
        job = order_drop(connection, ADMIN, old.id)
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.SUCCEEDED
    with indexes.platform.database.begin() as connection:
        assert generations.documents_in(connection, old.id) == 0
        with pytest.raises(Conflict, match="No earlier"):
            order_rollback(connection, ADMIN, new.id)
    indexes.assert_equals_sql(new)


def test_a_wiped_vector_store_is_rebuilt_from_sql_every_index_of_it(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    indexes.write(edited(1, "asks"), document)
    built = indexes.build(max_tokens=64, min_tokens=0)
    live, embedded = indexes.works.generation, indexes.works.embedder.passages
    for generation in (live, built):
        indexes.platform.vectors.drop(generation.collection)
    with indexes.platform.database.begin() as connection:
        job = jobs.insert(connection, JobKind.RECONCILE, created_by="t")
    indexes.works.bench.run(job)
    assert indexes.works.job(job).state is JobState.SUCCEEDED
    for generation in (live, built):
        indexes.assert_equals_sql(generation)
    assert indexes.works.embedder.passages == embedded


def test_the_gate_decides(indexes: Indexes) -> None:
    indexes.write(LONG)
    with indexes.platform.database.begin() as connection:
        questions = [GoldenQuestion(str(number), "?", "admin", ("d",)) for number in range(5)]
        golden_sets.insert_set(connection, name="faq", questions=questions, created_by="admin")
        golden_sets.insert_set(connection, name="few", questions=questions[:4], created_by="admin")
    with pytest.raises(Unprocessable) as few:
        indexes.order(gate=GateOrder("few", None, 0.02))
    assert few.value.code == "golden_set_too_small"
    built = indexes.build(gate=GateOrder("faq", None, 0.02))
    with pytest.raises(Conflict) as pending:
        indexes.promote(built.id)
    assert pending.value.code == "gate_pending"
    for passed, code in ((False, "gate_refused"), (True, None)):
        with indexes.platform.database.begin() as connection:
            evaluations.finish(connection, str(indexes.get(built.id).evaluation_id), report={}, passed=passed)
        if code is None:
            assert indexes.promote(built.id).state is JobState.SUCCEEDED
            break
        with pytest.raises(Conflict) as refused:
            indexes.promote(built.id)
        assert refused.value.code == code


def test_orders_that_do_not_fit_are_refused(indexes: Indexes) -> None:
    for changes, error, code in (
        ({"embedding": "nothing-like-it"}, NotFound, "embedding_profile_not_found"),
        ({"analyzer": "nothing-like-it"}, Unprocessable, "unknown_analyzer"),
        ({"max_tokens": 9999}, Unprocessable, "chunking_out_of_range"),
        ({"spaces": ("s",), "embedding": "bundled"}, Unprocessable, "index_wide_setting"),
        ({"spaces": ("nowhere",)}, NotFound, "space_not_found"),
        ({"gate": GateOrder("none", None, 0.1)}, NotFound, "golden_set_not_found"),
    ):
        with pytest.raises(error) as refused:
            indexes.order(**changes)
        assert refused.value.code == code
    indexes.order()
    with pytest.raises(Conflict) as running:
        indexes.order()
    assert running.value.code == "reindex_running"


def test_reading_the_bytes_again_comes_into_both_indexes(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    with indexes.platform.database.begin() as connection:  # as an older parser would have left it
        connection.execute(sa.text("UPDATE versions SET text = replace(text, 'Rule 2', 'Rul 2')"))
    live = indexes.works.generation
    number, build = indexes.order()
    with indexes.platform.database.begin() as connection:
        reparsing = order_reparse(connection, ADMIN, documents_to_reparse(connection, ADMIN, ("s",)))
    assert len(reparsing) == 1
    for job in (build, *reparsing):
        indexes.works.bench.run(job)
    indexes.follow()
    built = indexes.get(number)
    assert indexes.history(built, document)[2] == indexes.history(live, document)[2]
    assert "Rule 2" in indexes.history(built, document)[2]
    with indexes.platform.database.begin() as connection:
        assert documents_to_reparse(connection, ADMIN, ()) == []


def test_housekeeping_orders_the_following_once(indexes: Indexes) -> None:
    document = indexes.write(LONG)
    built = indexes.build(max_tokens=64, min_tokens=0)
    housekeeper = Housekeeper(indexes.works.bench)
    housekeeper.sweep()
    assert follow_jobs(indexes) == []
    indexes.write(edited(1, "asks"), document)
    housekeeper.sweep()
    housekeeper.sweep()
    (job,) = follow_jobs(indexes)
    indexes.works.bench.run(job)
    assert indexes.history(built, document) == indexes.history(indexes.works.generation, document)
    housekeeper.sweep()
    assert follow_jobs(indexes) == [job]


def follow_jobs(indexes: Indexes) -> list[str]:
    with indexes.platform.database.begin() as connection:
        return [job.id for job in jobs.list_of(connection, limit=100) if job.kind is JobKind.FOLLOW]
