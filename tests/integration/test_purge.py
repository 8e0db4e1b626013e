"""Purge on real PostgreSQL, Milvus and blobs: what retention keeps no longer is gone, everything else stays."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion.index.reconcile import counts_agree, reconcile
from ingestion.purge import STRAY_AFTER, Purger, PurgeStep
from kbcore.bootstrap import Platform
from kbcore.domain.document import FOREVER, Classification, VersionState
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import Conflict
from kbcore.metadata import (
    chunks,
    documents,
    generations,
    index_rows,
    jobs,
    policies,
    removal,
    retention,
    spaces,
    users,
    versions,
)
from kbcore.metadata.generations import NewGeneration
from kbcore.metadata.purged_history import incomplete_spaces
from kbcore.metadata.tables import embeddings, snapshots, version_chunks
from kbcore.metadata.tables import spaces as space_table
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Grant, Policy, Role
from tests.integration.erasing import quietly
from tests.integration.ingesting import Works, open_works


class Killed(BaseException):
    """Ends a purge where it stands; nothing catches it."""


def part(word: str) -> str:
    return f"# {word}\n\nThe part about {word} says what is to be said about {word}, and not a word more.\n\n"


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


@pytest.fixture
def document(works: Works) -> str:
    """Four versions: the first part is the same in all, the second one differs."""
    document, _, job = works.upload(part("constant") + part("first"))
    works.bench.run(job)
    for word in ("second", "third", "fourth"):
        works.bench.run(works.upload(part("constant") + part(word), document)[2])
    return document


def keep(works: Works, *, days: int | None = None, count: int | None = None) -> None:
    with works.platform.database.begin() as connection:
        spaces.update_space(connection, works.space_id, {"retention_days": days, "retention_versions": count})


def age(works: Works, days: int) -> None:
    works.execute(f"UPDATE publications SET committed_at = committed_at - interval '{days} days'")


def purge(works: Works) -> int:
    return Purger(works.platform).purge_space(works.space_id, quietly)


def purged(works: Works, document: str) -> set[int]:
    with works.platform.database.begin() as connection:
        return {v.number for v in versions.list_of(connection, document) if v.purged_at is not None}


def texts(works: Works, document: str) -> dict[int, list[str]]:
    """The passages of each version as SQL and Milvus have them."""
    present = {key for key, _ in works.platform.vectors.scan(works.generation.collection)}
    with works.platform.database.begin() as connection:
        return {
            version.number: [
                chunk.text.partition("\n")[0]
                for chunk in chunks.of_version(connection, works.generation.id, document, version.number)
                if chunk.chunk_id in present
            ]
            for version in versions.list_of(connection, document)
        }


def assert_whole(works: Works, document: str, gone: set[int]) -> None:
    """Of the versions in `gone` nothing is left but the row; the others are complete; index and SQL agree."""
    assert purged(works, document) == gone
    for number, passages in texts(works, document).items():
        version = works.version(document, number)
        with works.platform.database.begin() as connection:
            stored = versions.stored_text(connection, document, number)
        if number in gone:
            assert (passages, stored, version.sha256) == ([], None, "")
        else:
            assert len(passages) == 2
            assert stored is not None
            assert works.platform.blobs.exists(version.sha256)
    works.assert_index_equals_sql()
    with works.platform.database.begin() as connection:
        needed = connection.execute(sa.text("SELECT count(DISTINCT embedded_hash) FROM chunks")).scalar_one()
        assert connection.execute(sa.select(sa.func.count()).select_from(embeddings)).scalar_one() == needed


def test_all_but_the_newest_versions_go(works: Works, document: str) -> None:
    before = {number: works.version(document, number).sha256 for number in (1, 2, 3, 4)}
    keep(works, count=2)
    assert purge(works) == 2
    assert_whole(works, document, {1, 2})
    assert [works.platform.blobs.exists(before[n]) for n in (1, 2, 3, 4)] == [False, False, True, True]
    assert purge(works) == 0


def test_what_ended_long_ago_goes_and_what_is_in_force_stays(works: Works, document: str) -> None:
    keep(works, days=30)
    age(works, 31)
    works.bench.run(works.upload(part("constant") + part("fifth"), document)[2])  # ends the fourth now
    assert purge(works) == 3
    assert_whole(works, document, {1, 2, 3})


def test_without_retention_nothing_is_due(works: Works, document: str) -> None:
    age(works, 10_000)
    assert purge(works) == 0
    assert_whole(works, document, set())


def test_a_row_that_a_remaining_version_places_keeps_its_life(works: Works, document: str) -> None:
    collection = works.generation.collection
    before = dict(works.platform.vectors.scan(collection))
    keep(works, count=1)
    purge(works)
    after = dict(works.platform.vectors.scan(collection))
    assert len(after) == 2
    assert all(before[key] == stamp for key, stamp in after.items())
    assert min(stamp.valid_from for stamp in after.values()) == 1


@pytest.mark.parametrize("of_everything", [True, False])
def test_what_stood_at_a_snapshot_stays(works: Works, document: str, of_everything: bool) -> None:
    with works.platform.database.begin() as connection:
        space = None if of_everything else works.space_id
        connection.execute(snapshots.insert().values(id="s", name="audit", space_id=space, epoch=2, created_by="t"))
    keep(works, count=1)
    assert purge(works) == 2
    assert_whole(works, document, {1, 3})


def test_a_snapshot_of_another_space_keeps_nothing(works: Works, document: str) -> None:
    with works.platform.database.begin() as connection:
        other = spaces.create_space(connection, name="other", title="other", policy=Policy()).id
        connection.execute(snapshots.insert().values(id="s", name="audit", space_id=other, epoch=2, created_by="t"))
    keep(works, count=1)
    assert purge(works) == 3


def test_a_deleted_document_goes_whole_after_the_days(works: Works, document: str) -> None:
    with works.platform.database.begin() as connection:
        documents.mark_deleted(connection, document, "t")
        job = jobs.insert(connection, JobKind.WITHDRAW, created_by="t", document_id=document)
    works.bench.run(job)
    keep(works, days=30, count=4)
    assert purge(works) == 0
    age(works, 31)
    assert purge(works) == 4
    assert_whole(works, document, {1, 2, 3, 4})
    assert works.platform.vectors.count(works.generation.collection) == 0


def test_what_was_never_published_goes_by_the_day_it_came(works: Works, document: str) -> None:
    _, number, job = works.upload(part("lost"), document)
    works.platform.blobs.delete(works.version(document, number).sha256)
    works.bench.run(job)
    assert works.version(document, number).state is VersionState.FAILED
    keep(works, days=30)
    assert purge(works) == 0
    works.execute(f"UPDATE versions SET created_at = created_at - interval '31 days' WHERE number = {number}")
    assert purge(works) == 1
    assert purged(works, document) == {number}
    works.retry(job)
    works.bench.run(job)
    assert purged(works, document) == {number}


def give_up(works: Works, document: str) -> tuple[int, str]:
    """A version that was cancelled, so long ago that it is due; its number and its job."""
    _, number, job = works.upload(part("constant") + part("given up"), document)
    works.cancel(job)
    works.bench.run(job)
    assert works.version(document, number).state is VersionState.SKIPPED
    works.execute(f"UPDATE versions SET created_at = created_at - interval '31 days' WHERE number = {number}")
    keep(works, days=30)
    return number, job


def test_a_retry_while_it_is_purged_comes_too_late(works: Works, document: str) -> None:
    number, job = give_up(works, document)

    def reached(step: PurgeStep) -> None:
        if step is PurgeStep.CHOSEN and works.job(job).state is JobState.CANCELLED:
            works.retry(job)
            assert works.version(document, number).state is VersionState.SKIPPED

    assert Purger(works.platform, reached=reached).purge_space(works.space_id, quietly) == 1
    works.bench.run(job)
    assert_whole(works, document, {number})
    with works.platform.database.begin() as connection:
        found = documents.get(connection, document)
    assert found is not None
    assert found.version == 4


def test_a_purge_that_comes_while_it_is_retried_leaves_it(works: Works, document: str) -> None:
    number, job = give_up(works, document)
    purged_meanwhile: list[int] = []
    thread = threading.Thread(target=lambda: purged_meanwhile.append(purge(works)))
    with works.platform.database.begin() as connection:
        assert jobs.requeue(connection, job)
        assert versions.mark_pending(connection, document, number)
        thread.start()
        thread.join(0.5)  # it waits for this transaction, or has not begun: it must leave the version either way
    thread.join()
    assert purged_meanwhile == [0]
    works.bench.run(job)
    assert works.version(document, number).state is VersionState.INDEXED
    assert_whole(works, document, set())


@pytest.mark.parametrize("step", [PurgeStep.CHOSEN, PurgeStep.ROWS_REMOVED, PurgeStep.BYTES_REMOVED])
def test_what_a_killed_purge_had_claimed_goes_with_the_next(works: Works, document: str, step: PurgeStep) -> None:
    number, _ = give_up(works, document)
    sha256 = works.version(document, number).sha256

    def reached(here: PurgeStep) -> None:
        if here is step:
            raise Killed

    with pytest.raises(Killed):
        Purger(works.platform, reached=reached).purge_space(works.space_id, quietly)
    claimed_at = works.version(document, number).purged_at
    assert claimed_at is not None
    keep(works)  # whatever is kept from now on, what counts as purged goes
    assert purge(works) == 1
    assert_whole(works, document, {number})
    assert works.version(document, number).purged_at == claimed_at
    assert not works.platform.blobs.exists(sha256)


def test_what_waits_and_what_is_in_force_is_never_due(works: Works, document: str) -> None:
    _, waiting, _ = works.upload(part("waiting"), document)
    works.execute("UPDATE versions SET created_at = created_at - interval '1 year'")
    keep(works, days=1, count=1)
    age(works, 365)
    purge(works)
    version = works.version(document, waiting)
    assert (version.state, version.purged_at) == (VersionState.PENDING, None)
    assert works.platform.blobs.exists(version.sha256)
    assert works.version(document, 4).purged_at is None  # in force


def test_what_will_be_in_force_is_never_due(works: Works, document: str) -> None:
    _, future, job = works.upload(part("constant") + part("future"), document)
    works.execute(f"UPDATE versions SET effective_from = now() + interval '1 year' WHERE number = {future}")
    works.bench.run(job)
    keep(works, days=1, count=1)
    age(works, 365)
    purge(works)
    assert_whole(works, document, {1, 2, 3})
    assert [works.version(document, number).valid_to for number in (4, future)] == [FOREVER, FOREVER]


def test_bytes_that_another_version_has_stay(works: Works, document: str) -> None:
    other, _, job = works.upload(part("constant") + part("first"))
    works.bench.run(job)
    keep(works, count=1)
    purge(works)
    assert purged(works, document) == {1, 2, 3}
    assert works.platform.blobs.exists(works.version(other, 1).sha256)
    works.assert_index_equals_sql()
    works.bench.run(works.upload(part("constant") + part("first"), document)[2])  # its vectors are still there
    assert_whole(works, document, {1, 2, 3})


@pytest.mark.parametrize("step", [step for step in PurgeStep if step is not PurgeStep.LOCKED])
def test_the_past_is_incomplete_before_anything_is_missing(works: Works, document: str, step: PurgeStep) -> None:
    def reached(here: PurgeStep) -> None:
        if here is step:
            raise Killed

    with works.platform.database.begin() as connection:
        who = {"name": "lina", "display_name": "lina", "email": None}
        lina = users.create_user(connection, **who, clearance=Classification.PUBLIC, is_admin=False).id
        policy_id = connection.execute(sa.select(space_table.c.policy_id)).scalar_one()
        policies.replace_policy(connection, policy_id, Policy(frozenset({Grant(f"user:{lina}", Role.READER)})))
    keep(works, count=2)
    with pytest.raises(Killed):
        Purger(works.platform, reached=reached).purge_space(works.space_id, quietly)
    with works.platform.database.begin() as connection:
        told = {epoch: incomplete_spaces(connection, lina, epoch, None) for epoch in (1, 2, 3, 4)}
        assert told == {1: ["s"], 2: ["s"], 3: [], 4: []}
        assert incomplete_spaces(connection, lina, 4, None, history=True) == ["s"]
        assert incomplete_spaces(connection, "somebody", 1, None) == []


@pytest.mark.parametrize("step", list(PurgeStep))
def test_killed_at_any_step_the_next_purge_completes_it(works: Works, document: str, step: PurgeStep) -> None:
    def reached(here: PurgeStep) -> None:
        if here is step:
            raise Killed

    shas = {works.version(document, number).sha256 for number in (1, 2, 3)}
    keep(works, count=1)
    with pytest.raises(Killed):
        Purger(works.platform, reached=reached).purge_space(works.space_id, quietly)

    assert len(texts(works, document)[4]) == 2  # what readers see is whole all the time
    purge(works)
    assert_whole(works, document, {1, 2, 3})
    assert not any(works.platform.blobs.exists(sha) for sha in shas)
    assert counts_agree(works.platform, works.generation)


def test_every_kept_generation_loses_the_rows(works: Works, document: str) -> None:
    live = works.generation
    with works.platform.database.begin() as connection:
        new = NewGeneration(live.embedding, live.dimension, live.chunking, {})
        other = generations.insert_building(connection, "t_other", new, through=4)
        chunk = "id, document_id, text, embedded_hash, language, tokens, terms, valid_from, valid_to, policy_id, level"
        for table, columns in {
            "chunks": chunk,
            "version_chunks": 'document_id, version, ordinal, chunk_id, start, "end", heading, page, kind',
            "term_counts": "term, policy_id, level, rows",
            "row_counts": "policy_id, level, rows",
        }.items():
            connection.execute(
                sa.text(f"INSERT INTO {table} (generation_id, {columns}) SELECT {other.id}, {columns} FROM {table}")
            )
        counted = f"(SELECT sum(rows) FROM row_counts WHERE generation_id = {other.id})"
        connection.execute(sa.text(f"UPDATE generations SET rows = {counted} WHERE id = {other.id}"))
    store = works.platform.vectors
    store.create(other.collection, other.dimension)
    try:
        assert reconcile(works.platform, other).written == 5
        keep(works, count=1)
        purge(works)
        assert store.count(other.collection) == store.count(live.collection) == 2
        with works.platform.database.begin() as connection:
            assert dict(index_rows.expected(connection, other.id)) == dict(store.scan(other.collection))
            assert connection.execute(sa.select(sa.func.count()).select_from(version_chunks)).scalar_one() == 4
    finally:
        store.drop(other.collection)


def test_stray_bytes_go_after_a_day(works: Works, document: str) -> None:
    blobs = works.platform.blobs
    young = blobs.put([b"just refused"], max_bytes=100).sha256
    old = blobs.put([b"refused yesterday"], max_bytes=100).sha256
    used = works.version(document, 1).sha256
    long_ago = (datetime.now(UTC) - STRAY_AFTER - timedelta(hours=1)).timestamp()
    for key in (old, used):
        with blobs.local(key) as path:
            os.utime(path, (long_ago, long_ago))
    assert Purger(works.platform).remove_stray_blobs(quietly) == 1
    assert [blobs.exists(key) for key in (young, old, used)] == [True, False, True]


def test_a_vector_that_was_purged_before_it_was_staged_is_made_again(works: Works) -> None:
    document, _, job = works.upload(part("late"))
    original = removal.require_vectors
    calls = []

    def purge_first(connection, generation_id, hashes):
        if not calls:
            calls.append(1)
            connection.execute(embeddings.delete())
        original(connection, generation_id, hashes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "require_vectors", purge_first)
        works.bench.run(job)
        assert works.version(document, 1).state is VersionState.PENDING
        works.bench.run(job)
    assert works.version(document, 1).state is VersionState.INDEXED
    assert texts(works, document)[1] == ["The part about late says what is to be said about late, and not a word more."]


def test_housekeeping_orders_a_purge_only_where_something_is_due(works: Works, document: str) -> None:
    def ordered() -> list[str]:
        with works.platform.database.begin() as connection:
            return retention.order_due(connection)

    assert ordered() == []
    keep(works, count=4)
    assert ordered() == []
    keep(works, count=3)
    (job,) = ordered()
    assert ordered() == []  # it waits
    works.bench.run(job)
    assert purged(works, document) == {1}
    keep(works, count=2)
    assert ordered() == []  # within the hour
    works.execute("UPDATE jobs SET created_at = created_at - interval '61 minutes'")
    assert len(ordered()) == 1


def test_stray_bytes_are_looked_for_once_a_day(works: Works, document: str) -> None:
    works.execute("UPDATE versions SET created_at = created_at - interval '25 hours'")
    with works.platform.database.begin() as connection:
        (job,) = retention.order_due(connection)
        assert retention.order_due(connection) == []
    works.bench.run(job)
    assert works.job(job).state == "succeeded"


def test_a_version_cannot_be_made_from_a_purged_one(works: Works, document: str) -> None:
    keep(works, count=1)
    purge(works)
    new = NewVersion(document, "0" * 64, 1, "a.md", "text/markdown", "T", "t", based_on=1)
    with pytest.raises(Conflict) as refused, works.platform.database.begin() as connection:
        versions.insert(connection, new)
    assert refused.value.code == "version_without_text"
