"""recall@10 and time of the dense search by how much of the index the asker may see.

    python -m tests.benchmarks.bench_recall [rows]

Against an exact search with numpy: the product's path (SQL where little may be seen, else the index as shipped), plain
IVF_FLAT with all lists probed, and plain HNSW (ef 256) on Milvus Lite. Rows are clustered vectors in documents of
twenty; policies are spread over them by chance. Nothing is asserted.
"""

import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.document import FOREVER, Classification
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.language.weights import pack
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.standpoint import Narrowing, Standpoint, take_standpoint
from kbcore.metadata.visible_rows import visible_rows
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import VectorFilter, VectorRow, VectorStamp, VectorStore
from kbcore.vectors.milvus import MilvusStore
from kbcore.vectors.milvus_schema import LITE, SERVER
from services.query.exact import covering, nearest
from services.query.found import QueryVectors
from services.query.request import Mode
from services.query.retrieve import candidates
from tests.benchmarks.vector_workload import DIMENSION, SHARES, Workload
from tests.servers.embedded import embedded_platform

QUESTIONS = 20
LIMIT = 50
POLICIES = 2000
MODEL = "bench@1"
_BATCH = 5000

_GENERATION = """
    INSERT INTO generations (id, collection, embedding, dimension, chunking, state, rows)
    OVERRIDING SYSTEM VALUE VALUES (1, 'ivf', 'bench@1', 384, '{}', 'live', :rows);
    INSERT INTO policies (id) OVERRIDING SYSTEM VALUE SELECT n FROM generate_series(1, 2000) n;
    INSERT INTO spaces (id, name, title, policy_id) VALUES ('s', 's', 's', 1);
    INSERT INTO documents (id, space_id, title, classification, own_policy_id, created_by)
        SELECT 'd' || n, 's', 't', 0, n * 7919::bigint % 2000 + 1, 'x' FROM generate_series(0, :rows / 20) n
"""
_ROW = sa.text("""
    INSERT INTO chunks (generation_id, id, document_id, text, embedded_hash, language, tokens, terms, policy_id, level,
        valid_from, valid_to)
    VALUES (1, :id, :document, 'text', :hash, 'en', 1, :terms, :policy_id, 0, 1, :forever)
""")
_VECTOR = sa.text("INSERT INTO embeddings (model, text_hash, vector) VALUES ('bench@1', :hash, :vector)")
_COUNT = sa.text("""
    INSERT INTO row_counts (generation_id, policy_id, level, rows)
    SELECT 1, policy_id, level, count(*) FROM chunks GROUP BY policy_id, level
""")


def rows(count: int, workload: Workload) -> list[VectorRow]:
    """A document's rows share a policy; each has a few of ten thousand terms."""
    chance = np.random.default_rng(5)
    made = []
    for number in range(count):
        document = number // 20
        stamp = VectorStamp(document, 1, document * 7919 % POLICIES + 1, 0, valid_from=1, valid_to=FOREVER)
        terms = {int(term): 0.5 for term in chance.integers(1, 10_000, 8)}
        made.append(VectorRow(f"d{document}-1-{number % 20}", stamp, workload.vector(), terms))
    return made


def store_in_sql(platform: Platform, made: Sequence[VectorRow]) -> None:
    """What the product's path reads."""
    with platform.database.begin() as connection:
        for statement in _GENERATION.split(";"):
            values = {"rows": len(made)} if ":rows" in statement else {}
            connection.execute(sa.text(statement.replace("::", "\\:\\:")), values)
        for at in range(0, len(made), _BATCH):
            part = made[at : at + _BATCH]
            hashes = [hashlib.sha256(row.chunk_id.encode()).digest() for row in part]
            connection.execute(
                _VECTOR,
                [{"hash": key, "vector": row.dense.tobytes()} for key, row in zip(hashes, part, strict=True)],
            )
            connection.execute(
                _ROW,
                [
                    {
                        "id": row.chunk_id,
                        "document": f"d{row.stamp.document_key}",
                        "hash": key,
                        "terms": pack(row.sparse),
                        "policy_id": row.stamp.policy_id,
                        "forever": FOREVER,
                    }
                    for key, row in zip(hashes, part, strict=True)
                ],
            )
        connection.execute(_COUNT)
        connection.execute(sa.text("UPDATE epoch SET value = 1"))
    with platform.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def index(store: VectorStore, collection: str, made: Sequence[VectorRow], *, sealed_every: int) -> None:
    """Write all rows, sealing them on the way: HNSW in many small segments hides how much it misses."""
    began = time.perf_counter()
    store.create(collection, DIMENSION)
    for at in range(0, len(made), _BATCH):
        store.upsert(collection, made[at : at + _BATCH])
        if (at + _BATCH) % sealed_every == 0:
            store.flush(collection)
    store.flush(collection)
    print(f"indexed {len(made)} rows as {collection} in {time.perf_counter() - began:.0f} s", flush=True)


def asker(platform: Platform, where: VectorFilter) -> Caller:
    """A user who may read by these policies."""
    name = new_id()
    with platform.database.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO users (id, name, display_name, clearance) VALUES (:name, :name, 'U', 3)"),
            {"name": name},
        )
        connection.execute(
            sa.text("INSERT INTO policy_entries (policy_id, principal, role) SELECT unnest(:ids), :who, 'reader'"),
            {"ids": sorted(where.scope.policy_ids), "who": f"user:{name}"},
        )
        caller = resolve_caller(connection, name)
    assert caller is not None
    return caller


def measure(search: Callable[[np.ndarray], Sequence[str]], queries: np.ndarray, best: list[set[str]]) -> str:
    """`recall p50`, after one search that warms up."""
    search(queries[0])
    times, shares = [], []
    for query, wanted in zip(queries, best, strict=True):
        began = time.perf_counter()
        found = search(query)
        times.append((time.perf_counter() - began) * 1000)
        shares.append(len(wanted & set(found[:10])) / max(1, len(wanted)))
    return f"{statistics.mean(shares):6.3f} {statistics.median(times):8.1f} ms"


def plain(store: VectorStore, collection: str, where: VectorFilter) -> Callable[[np.ndarray], list[str]]:
    """The index alone, not told how much may be seen."""
    return lambda query: [hit.chunk_id for hit in store.search_dense(collection, query, where, LIMIT)]


def product(platform: Platform, standpoint: Standpoint) -> Callable[[np.ndarray], Sequence[str]]:
    """What a search does between its standpoint and its check."""
    assert standpoint.index is not None
    live = standpoint.index
    return lambda query: candidates(platform, live, standpoint, QueryVectors(query, {}), Mode.DENSE, LIMIT).chunk_ids


def exact_cost(platform: Platform, made: Sequence[VectorRow], query: np.ndarray) -> None:
    """What both legs cost in SQL, by how many rows may be seen: where `retrieval.exact_rows` should be."""
    terms = dict.fromkeys(range(1, 10_000, 800), 0.08)
    per_policy = len(made) / POLICIES
    for wanted in (100, 500, 1000, 2000, 4000, 8000):
        policies = frozenset(range(1, round(wanted / per_policy) + 1))
        where = VectorFilter(ReadScope(policies, Classification.RESTRICTED), epoch=1)
        with platform.database.statement() as connection:
            standpoint = take_standpoint(connection, asker(platform, where), Narrowing(), [])
            assert standpoint.index is not None
            live, times = standpoint.index, []
            for _ in range(QUESTIONS):
                began = time.perf_counter()
                found = visible_rows(connection, live, standpoint, wanted * 2)
                assert found is not None
                seen = len(found.ids)
                nearest(found, query, LIMIT)
                covering(found, terms, LIMIT)
                times.append((time.perf_counter() - began) * 1000)
        print(f"exact search of {seen:5} rows in SQL: p50 {statistics.median(times):6.1f} ms", flush=True)


def main(count: int) -> None:
    """Fill, then one line for each share and way."""
    workload = Workload()
    made = rows(count, workload)
    matrix = np.stack([row.dense for row in made])
    queries = np.stack([workload.vector() for _ in range(QUESTIONS)])
    chance = np.random.default_rng(9)
    with embedded_platform() as platform:
        uri = platform.settings.milvus.uri
        hnsw = MilvusStore(
            uri, profile=replace(SERVER, widths=SERVER.widths[:1], widens=False, waits_for_visibility=False)
        )
        flat = MilvusStore(uri, profile=LITE)
        platform.__dict__["vectors"] = flat
        store_in_sql(platform, made)
        index(flat, "ivf", made, sealed_every=_BATCH)
        index(hnsw, "hnsw", made, sealed_every=count + _BATCH)
        print(f"{'may see':>8} {'rows':>7}  {'product':>18}  {'IVF_FLAT':>18}  {'HNSW ef 256':>18}   recall@10, p50")
        for share in SHARES:
            policies = chance.choice(np.arange(1, POLICIES + 1), max(1, round(POLICIES * share)), replace=False)
            where = VectorFilter(ReadScope(frozenset(policies.tolist()), Classification.RESTRICTED), epoch=1)
            seen = np.array([row.stamp.policy_id in where.scope.policy_ids for row in made])
            places = np.flatnonzero(seen)
            best = [{made[places[p]].chunk_id for p in np.argsort(-(matrix[places] @ q))[:10]} for q in queries]
            with platform.database.statement() as connection:
                standpoint = take_standpoint(connection, asker(platform, where), Narrowing(), [])
            ways = (product(platform, standpoint), plain(flat, "ivf", where), plain(hnsw, "hnsw", where))
            told = "  ".join(measure(way, queries, best) for way in ways)
            print(f"{share:8.2%} {len(places):7}  {told}", flush=True)
        exact_cost(platform, made, queries[0])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
