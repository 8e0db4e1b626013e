"""Every vector store keeps the promises of `kbcore.vectors.interface`; the exact one in memory is the oracle."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymilvus import MilvusClient

from kbcore.domain.document import FOREVER, Classification
from kbcore.errors import Unavailable
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import VectorFilter, VectorHit, VectorRow, VectorStamp, VectorStore
from kbcore.vectors.memory import MemoryStore
from kbcore.vectors.milvus import MilvusStore
from kbcore.vectors.milvus_schema import LITE, SERVER
from tests.contract.vector_rows import DIMENSION, TERMS, Write, filters, rows, sparse_vectors, unit_vectors, writes

_names = (f"contract_{number}" for number in count())

EVERYTHING = VectorFilter(ReadScope(frozenset(range(10)), Classification.RESTRICTED), epoch=3)

# Milvus' HNSW and its bounded reads are a server's profile; here it runs on Lite, whose HNSW returns too few hits under
# a filter, so that the widening is put to the test.
STORES = {"memory": None, "milvus-lite": LITE, "milvus-server-profile": SERVER}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> VectorStore:
    profile = STORES[request.param]
    return MemoryStore() if profile is None else MilvusStore(request.getfixturevalue("milvus_uri"), profile=profile)


@pytest.fixture
def collection(store: VectorStore) -> Iterator[str]:
    name = next(_names)
    store.create(name, DIMENSION)
    yield name
    store.drop(name)


def row(chunk_id: str, *, axis: int = 0, sparse: dict[int, float] | None = None, **stamp: int) -> VectorRow:
    values = {"document_key": 1, "space_key": 1, "policy_id": 1, "level": 0, "valid_from": 1, "valid_to": FOREVER}
    dense = np.eye(DIMENSION, dtype=np.float32)[axis]
    return VectorRow(chunk_id, VectorStamp(**{**values, **stamp}), dense, sparse or {})


def stamps_of(store: VectorStore, collection: str) -> dict[str, VectorStamp]:
    found = list(store.scan(collection))
    assert len(found) == len({key for key, _ in found})
    return dict(found)


def assert_same_hits(ours: list[VectorHit], oracle: list[VectorHit], limit: int) -> None:
    """The same scores in the same order, and the same keys, but for ties at the limit."""
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in oracle], abs=1e-4)
    assert len({hit.chunk_id for hit in ours}) == len(ours)
    edge = oracle[-1].score + 2e-4 if len(oracle) == limit else -np.inf
    assert {hit.chunk_id for hit in ours if hit.score > edge} == {hit.chunk_id for hit in oracle if hit.score > edge}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(writes, min_size=1, max_size=6), filters, unit_vectors(), sparse_vectors, st.integers(1, 30))
def test_agrees_with_the_exact_store(store, collection, history: list[Write], where, query, terms, limit):
    oracle = MemoryStore()
    oracle.create(collection, DIMENSION)
    store.delete(collection, [key for key, _ in store.scan(collection)])
    for write in history:
        expected = getattr(oracle, write.method)(collection, *write.arguments, **write.options)
        assert getattr(store, write.method)(collection, *write.arguments, **write.options) == expected
    assert stamps_of(store, collection) == stamps_of(oracle, collection)
    assert store.count(collection) == oracle.count(collection)
    for document in range(1, 7):
        assert store.count(collection, document) == oracle.count(collection, document)
    asked = [f"doc_{n % 5}-1-{n}" for n in range(25)]
    assert store.present(collection, asked) == oracle.present(collection, asked)
    for each in (where, EVERYTHING):
        assert_same_hits(
            store.search_dense(collection, query, each, limit),
            oracle.search_dense(collection, query, each, limit),
            limit,
        )
        assert_same_hits(
            store.search_sparse(collection, terms, each, limit),
            oracle.search_sparse(collection, terms, each, limit),
            limit,
        )


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=5, max_size=20, unique_by=lambda row: row.chunk_id))
def test_closing_and_restamping_keep_the_vectors(store, collection, written: list[VectorRow]):
    store.delete(collection, [key for key, _ in store.scan(collection)])
    store.upsert(collection, written)
    store.flush(collection)
    store.close(collection, [each.chunk_id for each in written[::2]], FOREVER)
    for document_key in range(1, 6):
        store.restamp(collection, document_key, policy_id=1, level=0)
    everyone = VectorFilter(ReadScope(frozenset({1}), Classification.PUBLIC), epoch=6)
    for each in written:
        if everyone.accepts(stamps_of(store, collection)[each.chunk_id]):
            hits = {hit.chunk_id: hit.score for hit in store.search_dense(collection, each.dense, everyone, 30)}
            assert hits[each.chunk_id] == pytest.approx(1.0, abs=1e-4)
            if each.sparse:
                hits = {h.chunk_id: h.score for h in store.search_sparse(collection, each.sparse, everyone, 30)}
                assert hits[each.chunk_id] == pytest.approx(sum(w * w for w in each.sparse.values()), abs=1e-4)


def test_a_version_switches_atomically(store, collection):
    store.upsert(collection, [row("d-1-0", valid_from=1, valid_to=FOREVER)])
    store.upsert(collection, [row("d-2-0", valid_from=2, valid_to=FOREVER)])
    store.close(collection, ["d-1-0"], 2)

    def seen(epoch: int) -> list[str]:
        where = VectorFilter(EVERYTHING.scope, epoch)
        return [hit.chunk_id for hit in store.search_dense(collection, row("x").dense, where, 10)]

    assert [seen(0), seen(1), seen(2)] == [[], ["d-1-0"], ["d-2-0"]]


def test_undo_returns_to_the_committed_epoch(store, collection):
    store.upsert(collection, [row("old-1-0", valid_from=1), row("kept-1-0", valid_from=1, valid_to=2)])
    before = stamps_of(store, collection)
    store.upsert(collection, [row("new-1-0", valid_from=4)])
    store.close(collection, ["old-1-0"], 4)
    assert store.undo_after(collection, 3) == 2
    assert stamps_of(store, collection) == before
    assert store.undo_after(collection, 3) == 0


def test_of_equal_keys_in_one_call_the_last_row_counts(store, collection):
    store.upsert(collection, [row("same-1-0", axis=0), row("same-1-0", axis=1)])
    assert store.count(collection) == 1
    best = store.search_dense(collection, row("x", axis=1).dense, EVERYTHING, 5)
    assert [(hit.chunk_id, round(hit.score, 3)) for hit in best] == [("same-1-0", 1.0)]


def test_a_row_without_terms_is_never_found_by_terms(store, collection):
    store.upsert(collection, [row("bare-1-0"), row("worded-1-0", sparse={TERMS[0]: 0.5})])
    assert [hit.chunk_id for hit in store.search_sparse(collection, dict.fromkeys(TERMS, 1.0), EVERYTHING, 5)] == [
        "worded-1-0"
    ]


def test_many_rows_come_back_once_each(store, collection):
    """More rows than one write batch and more than one page of a scan would hold on a small page size."""
    written = [row(f"d-1-{n}", axis=n % DIMENSION, document_key=n % 7) for n in range(1201)]
    store.upsert(collection, written)
    assert store.count(collection) == 1201
    assert stamps_of(store, collection) == {each.chunk_id: each.stamp for each in written}
    assert len(store.search_dense(collection, written[0].dense, EVERYTHING, 800)) == 800


def test_a_selective_filter_loses_nothing(store, collection, request):
    """An approximate index keeps its best before it filters; sealed rows that few may read must still all come back."""
    generator = np.random.default_rng(5)
    vectors = generator.standard_normal((1501, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    stamp = row("x").stamp
    written = [
        VectorRow(f"d-1-{n}", replace(stamp, policy_id=1 + n % 75), vector, {1 + n % 3: 0.5})
        for n, vector in enumerate(vectors[1:])
    ]
    store.upsert(collection, written)
    store.flush(collection)
    if isinstance(store, MilvusStore):
        # Lite builds indexes some time after a flush; loading again builds them at once. Searches load by themselves.
        MilvusClient(request.getfixturevalue("milvus_uri")).release_collection(collection)
    for policies in ({3}, {3, 40}):
        where = VectorFilter(ReadScope(frozenset(policies), Classification.RESTRICTED), epoch=3)
        readable = sorted(each.chunk_id for each in written if where.accepts(each.stamp))
        found = store.search_dense(collection, vectors[0], where, 50)
        assert sorted(hit.chunk_id for hit in found) == readable
        found = store.search_sparse(collection, {1: 0.5, 2: 0.5, 3: 0.5}, where, 50)
        assert sorted(hit.chunk_id for hit in found) == readable


def test_nothing_matches_an_empty_set(store, collection):
    store.upsert(collection, [row("d-1-0", sparse={1: 1.0})])
    for where in (
        VectorFilter(ReadScope(frozenset(), Classification.RESTRICTED), 3),
        VectorFilter(EVERYTHING.scope, 3, space_keys=frozenset()),
        VectorFilter(EVERYTHING.scope, 3, document_keys=frozenset()),
    ):
        assert store.search_dense(collection, row("x").dense, where, 5) == []
        assert store.search_sparse(collection, {1: 1.0}, where, 5) == []


HOSTILE_KEYS = [
    "x'] or id not in ['y",
    'x"] or id not in ["y',
    "a b",
    "",
    "x" * 129,
    "a\\",
    "日本",
    "a\n",
    "{k}",
    "%",
    "*",
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_keys_that_could_change_an_expression_are_refused(store, collection, key):
    store.upsert(collection, [row("safe-1-0")])
    for call in (
        lambda: store.delete(collection, [key]),
        lambda: store.close(collection, [key], 2),
        lambda: store.upsert(collection, [row(key)]),
    ):
        with pytest.raises(ValueError, match="chunk key"):
            call()
    assert stamps_of(store, collection) == {"safe-1-0": row("safe-1-0").stamp}


BAD_VECTORS = {
    "short": np.ones(DIMENSION - 1, dtype=np.float32),
    "zero": np.zeros(DIMENSION, dtype=np.float32),
    "nan": np.full(DIMENSION, np.nan, dtype=np.float32),
    "infinite": np.full(DIMENSION, np.inf, dtype=np.float32),
    "long": np.ones(DIMENSION, dtype=np.float32),
}


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=list(BAD_VECTORS))
def test_vectors_that_are_not_of_unit_length_are_refused(store, collection, vector):
    with pytest.raises(ValueError, match="vector"):
        store.upsert(collection, [VectorRow("d-1-0", row("x").stamp, vector, {})])
    with pytest.raises(ValueError, match="vector"):
        store.search_dense(collection, vector, EVERYTHING, 5)
    assert store.count(collection) == 0


@pytest.mark.parametrize("terms", [{0: 1.0}, {2**32 - 1: 1.0}, {-1: 1.0}, {1: 0.0}, {1: -1.0}, {1: float("nan")}])
def test_weights_that_a_sparse_vector_cannot_hold_are_refused(store, collection, terms):
    with pytest.raises(ValueError, match="term weight"):
        store.upsert(collection, [row("d-1-0", sparse=terms)])
    with pytest.raises(ValueError, match="term weight"):
        store.search_sparse(collection, terms, EVERYTHING, 5)


def test_creating_again_keeps_the_rows_and_another_dimension_is_refused(store, collection):
    store.upsert(collection, [row("d-1-0")])
    store.create(collection, DIMENSION)
    assert store.count(collection) == 1
    with pytest.raises(ValueError, match="dimension"):
        store.create(collection, DIMENSION + 1)


def test_a_dropped_collection_is_gone_and_dropping_it_again_is_fine(store):
    name = next(_names)
    store.create(name, DIMENSION)
    store.drop(name)
    store.drop(name)
    for call in (
        lambda: store.load(name),
        lambda: store.count(name),
        lambda: store.search_dense(name, row("x").dense, EVERYTHING, 1),
        lambda: store.upsert(name, [row("d-1-0")]),
    ):
        with pytest.raises(Unavailable):
            call()
    store.ping()
