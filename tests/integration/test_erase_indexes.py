"""Erasing and purging with several index generations, kept ones and one that is being built."""

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingestion.erase import Eraser
from ingestion.index.reconcile import reconcile
from ingestion.purge import Purger
from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.job import JobState
from kbcore.errors import Unavailable
from kbcore.metadata import documents, erasures, generations, removal, spaces
from kbcore.metadata.erasures import Erasure
from kbcore.metadata.generations import Generation, GenerationState, NewGeneration
from kbcore.metadata.tables import embeddings
from services.library.erase import order_erasure
from services.library.reindex import order_drop
from tests.integration.erasing import quietly
from tests.integration.reindexing import ADMIN, Indexes, open_indexes

SECRET = "# Secret\n\nThe quetzalcoatlus project ends in June, and nobody may know of it before.\n\n"
OTHER = "# Other\n\nThe canteen opens at noon and closes at two, every day but Sunday.\n\n"
LONG = SECRET + " ".join(f"The quetzalcoatlus project has a part number {n}, which ends in June." for n in range(40))
CUT = {"max_tokens": 64, "min_tokens": 0}


@pytest.fixture
def indexes(platform: Platform) -> Iterator[Indexes]:
    with open_indexes(platform) as opened:
        yield opened


def erase(indexes: Indexes, document: str) -> Erasure:
    with indexes.platform.database.begin() as connection:
        erasure = order_erasure(connection, ADMIN, document, None)
    Eraser(indexes.platform).erase(erasure.id, quietly)
    with indexes.platform.database.begin() as connection:
        done = erasures.get(connection, erasure.id)
    assert done is not None
    return done


def documents_in(indexes: Indexes, generation: Generation) -> set[str]:
    """By the keys of Milvus' rows."""
    indexes.assert_equals_sql(generation)
    keys = {stamp.document_key for _, stamp in indexes.platform.vectors.scan(generation.collection)}
    with indexes.platform.database.begin() as connection:
        found = connection.execute(sa.text("SELECT id FROM documents WHERE key = ANY(:keys)"), {"keys": list(keys)})
        return set(found.scalars())


def unneeded_vectors(indexes: Indexes) -> int:
    query = "SELECT count(*) FROM embeddings WHERE text_hash NOT IN (SELECT embedded_hash FROM chunks)"
    with indexes.platform.database.begin() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def test_every_generation_loses_it_and_later_ones_never_get_it(indexes: Indexes) -> None:
    secret, other = indexes.write(SECRET), indexes.write(OTHER)
    live, ready = indexes.works.generation, indexes.build(**CUT)
    assert documents_in(indexes, ready) == {secret, other}
    certificate = erase(indexes, secret).certificate
    assert certificate is not None
    assert [each["id"] for each in certificate["generations"]] == [live.id, ready.id]
    for generation in (live, ready):
        assert documents_in(indexes, indexes.get(generation.id)) == {other}
    indexes.write(OTHER + SECRET.replace("quetzalcoatlus", "open"), other)
    indexes.follow()
    assert indexes.promote(ready.id).state is JobState.SUCCEEDED
    assert indexes.promote(live.id).state is JobState.SUCCEEDED
    later = indexes.build(max_tokens=96, min_tokens=0)
    for generation in (live, ready, later):
        assert reconcile(indexes.platform, indexes.get(generation.id)).written == 0
        assert documents_in(indexes, indexes.get(generation.id)) == {other}
    assert unneeded_vectors(indexes) == 0


def test_a_build_under_way_leaves_it_out(indexes: Indexes) -> None:
    secret, other = indexes.write(SECRET * 3), indexes.write(OTHER)
    number, job = indexes.order(embedding=None, **CUT)
    indexes.platform.vectors.create(indexes.get(number).collection, indexes.get(number).dimension)
    indexes.works.execute("DELETE FROM embeddings")  # so that the build embeds
    certificates = []
    indexes.works.embedder.before = lambda: certificates.append(erase(indexes, secret).certificate)
    indexes.works.bench.run(job)
    assert certificates[0] is not None
    assert indexes.works.job(job).state is JobState.QUEUED  # it is begun again without the document
    indexes.works.bench.run(job)
    built = indexes.get(number)
    assert built.state is GenerationState.READY
    assert documents_in(indexes, built) == {other}
    assert unneeded_vectors(indexes) == 0


def test_an_index_that_was_given_up_keeps_nothing(indexes: Indexes) -> None:
    """Its worker died before it could remove the collection."""
    secret, _ = indexes.write(SECRET), indexes.write(OTHER)
    ready = indexes.build(**CUT)
    indexes.works.execute(f"UPDATE generations SET state = 'cancelled' WHERE id = {ready.id}")
    assert erase(indexes, secret).certificate is not None
    indexes.platform.vectors.create(ready.collection, ready.dimension)
    assert indexes.platform.vectors.count(ready.collection) == 0


def test_an_index_whose_building_has_not_begun_is_not_waited_for(indexes: Indexes) -> None:
    secret, other = indexes.write(SECRET), indexes.write(OTHER)
    number, job = indexes.order(**CUT)
    certificate = erase(indexes, secret).certificate
    assert certificate is not None
    assert [each["id"] for each in certificate["generations"]] == [indexes.works.generation.id, number]
    indexes.works.bench.run(job)
    built = indexes.get(number)
    assert built.state is GenerationState.READY
    assert documents_in(indexes, built) == {other}


def test_a_restamp_does_not_wait_for_it_either(indexes: Indexes) -> None:
    document = indexes.write(OTHER)
    number, job = indexes.order(**CUT)
    with indexes.platform.database.begin() as connection:
        documents.update(connection, document, classification=Classification.RESTRICTED)
    indexes.works.bench.publisher.restamp(document)
    indexes.works.bench.run(job)
    for generation in (indexes.works.generation, indexes.get(number)):
        stamps = dict(indexes.platform.vectors.scan(generation.collection)).values()
        assert {stamp.level for stamp in stamps} == {int(Classification.RESTRICTED)}


def test_only_what_may_be_left_of_given_up_indexes_is_dropped(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = indexes.write(SECRET)
    gone, job = indexes.order(**CUT)
    indexes.works.cancel(job)
    indexes.works.bench.run(job)
    assert indexes.get(gone).state is GenerationState.CANCELLED
    left = indexes.build(**CUT)  # its worker dies before it has removed the collection
    indexes.works.execute(f"UPDATE generations SET state = 'failed' WHERE id = {left.id}")
    dropped: list[str] = []
    monkeypatch.setattr(indexes.platform.vectors, "drop", dropped.append)
    assert erase(indexes, secret).certificate is not None
    assert dropped == [left.collection]


def test_a_given_up_index_that_is_begun_again_loses_the_document(indexes: Indexes) -> None:
    """It is a kept one again, with whatever stood in its collection before."""
    secret, other = indexes.write(SECRET), indexes.write(OTHER)
    ready = indexes.build(**CUT)
    indexes.works.execute(f"UPDATE generations SET state = 'building' WHERE id = {ready.id}")
    assert erase(indexes, secret).certificate is not None
    assert documents_in(indexes, ready) == {other}


def test_vectors_that_a_dropped_index_left_go_too(indexes: Indexes) -> None:
    secret, _ = indexes.write(LONG), indexes.write(OTHER)
    ready = indexes.build(**CUT)
    with indexes.platform.database.begin() as connection:
        job = order_drop(connection, ADMIN, ready.id)
    indexes.works.execute("UPDATE generations SET created_at = created_at - interval '1 hour'")
    indexes.works.bench.run(job)
    assert unneeded_vectors(indexes) > 0
    assert erase(indexes, secret).certificate is not None
    assert unneeded_vectors(indexes) == 0


def test_vectors_of_a_deleted_document_go_although_following_forgot_its_rows(indexes: Indexes) -> None:
    secret, _ = indexes.write(LONG), indexes.write(OTHER)
    indexes.build(**CUT)
    indexes.delete(secret)
    indexes.follow()
    assert unneeded_vectors(indexes) > 0
    assert erase(indexes, secret).certificate is not None
    assert unneeded_vectors(indexes) == 0


def test_an_index_that_is_forgotten_waits_for_rows_being_written(indexes: Indexes) -> None:
    indexes.write(OTHER)
    live = indexes.works.generation
    with indexes.platform.database.begin() as connection:
        new = NewGeneration("another-model", live.dimension, live.chunking, {})
        other = generations.insert_building(connection, "t_other", new, through=1)
        generations.move(connection, other.id, (GenerationState.BUILDING,), GenerationState.CANCELLED)
        connection.execute(sa.insert(embeddings).values(model="another-model", text_hash=b"h", vector=b"v"))
    done = threading.Event()

    def forget() -> None:
        with indexes.platform.database.begin() as connection:
            generations.forget_rows(connection, other.id)
        done.set()

    thread = threading.Thread(target=forget)
    with indexes.platform.database.begin() as connection:
        removal.require_vectors(connection, other.id, [b"h"])
        thread.start()
        assert not done.wait(0.3)
        removal.require_vectors(connection, other.id, [b"h"])
    thread.join()
    with pytest.raises(Unavailable), indexes.platform.database.begin() as connection:
        removal.require_vectors(connection, other.id, [b"h"])


def test_history_that_is_purged_while_an_index_is_built(indexes: Indexes) -> None:
    document = indexes.write(SECRET + OTHER)
    indexes.write(SECRET + OTHER.replace("noon", "eleven"), document)
    number, job = indexes.order(**CUT)
    with indexes.platform.database.begin() as connection:
        spaces.update_space(connection, indexes.works.space_id, {"retention_versions": 1})
    indexes.platform.vectors.create(indexes.get(number).collection, indexes.get(number).dimension)
    indexes.works.execute("DELETE FROM embeddings")
    purged: list[int] = []
    indexes.works.embedder.before = lambda: purged.append(
        Purger(indexes.platform).purge_space(indexes.works.space_id, quietly)
    )
    indexes.works.bench.run(job)
    assert purged == [1]
    assert indexes.works.job(job).state is JobState.QUEUED
    indexes.works.bench.run(job)
    built, live = indexes.get(number), indexes.works.generation
    assert built.state is GenerationState.READY
    assert "eleven" in indexes.history(built, document)[2]
    assert indexes.history(built, document)[1] == ""
    indexes.assert_equals_sql(built)
    indexes.assert_equals_sql(live)
