"""Erasing and purging with several index generations, kept ones and one that is being built."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ingestion.erase import Eraser
from ingestion.index.reconcile import reconcile
from ingestion.purge import Purger
from kbcore.bootstrap import Platform
from kbcore.domain.job import JobState
from kbcore.metadata import erasures, spaces
from kbcore.metadata.erasures import Erasure
from kbcore.metadata.generations import Generation, GenerationState
from services.library.erase import order_erasure
from tests.integration.erasing import quietly
from tests.integration.reindexing import ADMIN, Indexes, open_indexes

SECRET = "# Secret\n\nThe quetzalcoatlus project ends in June, and nobody may know of it before.\n\n"
OTHER = "# Other\n\nThe canteen opens at noon and closes at two, every day but Sunday.\n\n"
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
