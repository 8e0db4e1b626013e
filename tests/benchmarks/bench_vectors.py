"""Milvus Lite's searches: latency by number of rows, by share that may be read, by segments and by unsealed rows.

    python -m tests.benchmarks.bench_vectors --rows 10000 --flush-rows 2000 [--index HNSW]

Prints p50 in milliseconds and, for the dense leg, recall@10 against an exact search with numpy.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from kbcore.vectors.interface import VectorFilter, VectorRow, VectorStore
from kbcore.vectors.milvus import MilvusStore
from kbcore.vectors.milvus_schema import LITE, SERVER, IndexProfile
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.sockets import socket_folder
from tests.benchmarks.vector_workload import DIMENSION, SHARES, Workload
from tests.servers import running

COLLECTION = "bench"
QUESTIONS = 20


@contextmanager
def lite_server() -> Iterator[str]:
    """The address of a server of its own, in a temporary folder."""
    home = Path(tempfile.mkdtemp(prefix="zhiku-bench-"))
    server = EmbeddedMilvus(home / "milvus", socket_folder(home))
    try:
        with running(server.prepare(), home / "milvus.log"):
            yield server.uri
    finally:
        shutil.rmtree(socket_folder(home), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def p50_ms(call: Callable[[], object]) -> float:
    """The median time of `QUESTIONS` calls after one that warms up, in ms."""
    call()
    times = []
    for _ in range(QUESTIONS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def recall(store: VectorStore, rows: list[VectorRow], workload: Workload, where: VectorFilter) -> float:
    """Mean recall@10 of the dense search against all rows' inner products."""
    readable = [row for row in rows if where.accepts(row.stamp)]
    matrix = np.stack([row.dense for row in readable])
    shares = []
    for _ in range(QUESTIONS):
        query = workload.vector()
        best = {readable[index].chunk_id for index in np.argsort(-(matrix @ query))[:10]}
        found = {hit.chunk_id for hit in store.search_dense(COLLECTION, query, where, 10)}
        shares.append(len(best & found) / len(best))
    return statistics.mean(shares)


def write(store: VectorStore, rows: list[VectorRow], flush_rows: int) -> None:
    """Write in batches of 500, sealing every `flush_rows`; prints the rate and the longest stall."""
    started, longest, unsealed = time.perf_counter(), 0.0, 0
    source = iter(rows)
    while batch := list(islice(source, 500)):
        began = time.perf_counter()
        store.upsert(COLLECTION, batch)
        unsealed += len(batch)
        if unsealed >= flush_rows:
            store.flush(COLLECTION)
            unsealed = 0
        longest = max(longest, time.perf_counter() - began)
    seconds = time.perf_counter() - started
    print(
        f"wrote {len(rows)} rows, sealed every {flush_rows}: {len(rows) / seconds:.0f} rows/s, longest {longest:.2f} s"
    )


def report(store: VectorStore, rows: list[VectorRow], workload: Workload) -> None:
    """One line for each share that may be read."""
    print(f"{'may read':>9} {'dense p50':>10} {'sparse p50':>11} {'recall@10':>10}")
    for share in SHARES:
        where = workload.readable(share)
        if not any(where.accepts(row.stamp) for row in rows):
            continue
        dense = p50_ms(partial(_dense, store, workload, where))
        sparse = p50_ms(partial(_sparse, store, workload, where))
        print(f"{share:>9.2%} {dense:>7.1f} ms {sparse:>8.1f} ms {recall(store, rows, workload, where):>10.3f}")


def _dense(store: VectorStore, workload: Workload, where: VectorFilter) -> None:
    store.search_dense(COLLECTION, workload.vector(), where, 50)


def _sparse(store: VectorStore, workload: Workload, where: VectorFilter) -> None:
    store.search_sparse(COLLECTION, workload.question_terms(), where, 50)


def main() -> None:
    """Run the benchmark that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--flush-rows", type=int, default=2000)
    parser.add_argument("--unsealed", type=int, default=0, help="rows written after the last seal")
    parser.add_argument("--index", choices=["IVF_FLAT", "FLAT", "HNSW"], default="IVF_FLAT")
    parser.add_argument("--nlist", type=int, default=LITE.build["nlist"])
    arguments = parser.parse_args()
    workload = Workload()
    rows = list(workload.rows(arguments.rows + arguments.unsealed))
    with lite_server() as uri:
        store = MilvusStore(uri, profile=_profile(arguments.index, arguments.nlist))
        store.create(COLLECTION, DIMENSION)
        write(store, rows[: arguments.rows], arguments.flush_rows)
        store.flush(COLLECTION)
        if arguments.unsealed:
            write(store, rows[arguments.rows :], flush_rows=len(rows) + 1)
        report(store, rows, workload)


def _profile(index: str, nlist: int) -> IndexProfile:
    if index == "HNSW":  # without the widening that the server profile has
        return replace(SERVER, widths=SERVER.widths[:1])
    return replace(LITE, index_type=index, build={"nlist": nlist} if index == "IVF_FLAT" else {})


if __name__ == "__main__":
    main()
