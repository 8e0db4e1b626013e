"""The epoch protocol on real PostgreSQL and real Milvus: atomic for readers, whole after a kill at any step."""

from collections.abc import Iterator

import pytest

from ingestion.index.reconcile import counts_agree, reconcile
from ingestion.publish import Publisher, PublishStep
from kbcore.bootstrap import Platform
from kbcore.domain.document import FOREVER, VersionState
from kbcore.domain.job import JobState
from kbcore.errors import ItemFailed
from kbcore.metadata import chunks, index_rows, jobs, versions
from tests.integration.staging import Library


class Killed(BaseException):
    """Ends a publication where it stands; nothing catches it."""


def killed_at(step: PublishStep):
    def reached(here: PublishStep) -> None:
        if here is step:
            raise Killed

    return reached


@pytest.fixture
def library(platform: Platform) -> Iterator[Library]:
    library = Library.open(platform)
    yield library
    platform.vectors.drop(library.generation.collection)


@pytest.fixture
def publisher(library: Library) -> Publisher:
    return Publisher(library.platform)


def assert_index_equals_sql(library: Library) -> None:
    with library.platform.database.begin() as connection:
        expected = dict(index_rows.expected(connection, library.generation.id))
    assert dict(library.platform.vectors.scan(library.generation.collection)) == expected


def test_a_document_switches_from_old_to_new_and_the_past_stays(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    library.stage(document, ["same", "old"])
    publisher.publish_staged()
    library.stage(document, ["same", "new"])
    publisher.publish_staged()
    assert library.epoch() == 2
    assert library.passages(document, 0) == []
    assert library.passages(document, 1) == ["same", "old"]
    assert library.passages(document, 2) == ["same", "new"]
    assert_index_equals_sql(library)


def test_an_unchanged_passage_keeps_its_row(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    library.stage(document, ["same", "old"])
    publisher.publish_staged()
    before = dict(library.platform.vectors.scan(library.generation.collection))
    library.stage(document, ["new", "same"])
    publisher.publish_staged()
    kept = f"{document}-1-0"
    after = dict(library.platform.vectors.scan(library.generation.collection))
    assert after[kept] == before[kept]
    assert len(after) == 3


def test_waiting_versions_share_a_publication(library: Library, publisher: Publisher) -> None:
    space = library.space()
    documents = [library.document(space) for _ in range(5)]
    for document in documents:
        library.stage(document, ["text of " + document])
    assert publisher.publish_staged() == 1
    assert all(library.passages(document, 1) for document in documents)


@pytest.mark.parametrize("step", list(PublishStep))
def test_killed_at_any_step_readers_see_one_version_whole(library: Library, publisher: Publisher, step: PublishStep):
    document = library.document(library.space())
    library.stage(document, ["same", "old one", "old two"])
    publisher.publish_staged()
    library.stage(document, ["same", "new one"])
    with pytest.raises(Killed):
        Publisher(library.platform, reached=killed_at(step)).publish_staged()

    seen = library.passages(document, library.epoch())
    assert seen == (["same", "new one"] if step is PublishStep.COMMITTED else ["same", "old one", "old two"])

    publisher.publish_staged()
    assert library.epoch() == 2
    assert library.passages(document, 2) == ["same", "new one"]
    assert library.passages(document, 1) == ["same", "old one", "old two"]
    assert_index_equals_sql(library)


@pytest.mark.parametrize("step", list(PublishStep))
def test_killed_while_withdrawing(library: Library, publisher: Publisher, step: PublishStep) -> None:
    document = library.document(library.space())
    library.stage(document, ["one", "two"])
    publisher.publish_staged()
    library.delete(document)
    with pytest.raises(Killed):
        Publisher(library.platform, reached=killed_at(step)).publish_staged()
    publisher.publish_staged()
    assert library.passages(document, library.epoch()) == []
    assert library.passages(document, 1) == ["one", "two"]
    assert_index_equals_sql(library)


def test_a_version_that_is_overtaken_is_skipped_with_its_reason(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    first = library.receive(document)
    library.stage(document, ["second"])
    publisher.publish_staged()
    library.stage_received(document, first, ["first"])
    publisher.publish_staged()
    with library.platform.database.begin() as connection:
        overtaken = versions.get(connection, document, first)
    assert overtaken is not None
    assert (overtaken.state, overtaken.reason_code) == (VersionState.SKIPPED, "superseded")
    assert library.passages(document, library.epoch()) == ["second"]


def test_publishing_ends_the_jobs_it_serves(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    library.stage(document, ["text"])
    publisher.publish_staged()
    with library.platform.database.begin() as connection:
        (job,) = jobs.list_of(connection, limit=10)
    assert job.state is JobState.SUCCEEDED


def test_a_wiped_index_is_rebuilt_from_sql(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    for passages in (["same", "old"], ["same", "new"]):
        library.stage(document, passages)
        publisher.publish_staged()
    store, collection = library.platform.vectors, library.generation.collection
    assert counts_agree(library.platform, library.generation)
    store.drop(collection)
    store.create(collection, library.generation.dimension)
    assert not counts_agree(library.platform, library.generation)
    assert reconcile(library.platform, library.generation).written == 3
    assert_index_equals_sql(library)
    assert library.passages(document, 2) == ["same", "new"]


def test_reconciling_removes_foreign_rows_and_mends_stamps(library: Library, publisher: Publisher) -> None:
    document = library.document(library.space())
    library.stage(document, ["one", "two"])
    publisher.publish_staged()
    store, collection = library.platform.vectors, library.generation.collection
    store.close(collection, [f"{document}-1-0"], 1)
    with library.platform.database.begin() as connection:
        (row, _) = index_rows.full(
            connection, library.generation.id, library.generation.embedding, [f"{document}-1-0", f"{document}-1-1"]
        )
    from ingestion.publish import vector_row

    invented = vector_row(row)
    store.upsert(collection, [type(invented)("invented", invented.stamp, invented.dense, invented.sparse)])
    repair = reconcile(library.platform, library.generation)
    assert (repair.written, repair.removed) == (1, 1)
    assert_index_equals_sql(library)


def test_restamping_moves_a_document_to_its_new_policy(library: Library, publisher: Publisher) -> None:
    from kbcore.metadata import documents

    document = library.document(library.space())
    library.stage(document, ["one"])
    publisher.publish_staged()
    with library.platform.database.begin() as connection:
        documents.update(connection, document, classification=3)
    publisher.restamp(document)
    ((_, stamp),) = library.platform.vectors.scan(library.generation.collection)
    assert (stamp.level, stamp.valid_to) == (3, FOREVER)
    assert_index_equals_sql(library)


@pytest.mark.parametrize("step", [PublishStep.ROWS_WRITTEN, PublishStep.ROWS_CLOSED])
def test_what_a_killed_publication_wrote_is_undone_when_its_version_is_given_up(
    library: Library, publisher: Publisher, step: PublishStep
) -> None:
    space = library.space()
    given_up, other = library.document(space), library.document(space)
    library.stage(given_up, ["same", "old"])
    publisher.publish_staged()
    number = library.stage(given_up, ["new"])
    with pytest.raises(Killed):
        Publisher(library.platform, reached=killed_at(step)).publish_staged()
    with library.platform.database.begin() as connection:
        chunks.unstage(connection, given_up, number)
        versions.mark_ended(connection, given_up, number, VersionState.FAILED, ItemFailed("broken_file", "given up"))
    library.stage(other, ["other"])
    publisher.publish_staged()
    assert library.passages(given_up, 2) == ["same", "old"]
    assert library.passages(other, 2) == ["other"]
    assert_index_equals_sql(library)
