"""How fast the audit log takes events, and how fast it is verified.

    .venv/bin/python -m tests.benchmarks.bench_audit --seconds 3 --records 200000

A PostgreSQL of its own that is durable (fsync), as in production. Prints, for 1, 16 and 64 threads of one process and
for 4 processes: events a second, and p50 and p99 of `AuditTrail.record`; the same for a bare `INSERT … COMMIT` of one
row, which every thread makes for itself; then records a second of a verification.
"""

import argparse
import multiprocessing
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from kbcore.audit.chain import ChainKey, ChainKeys
from kbcore.audit.events import AuditEvent
from kbcore.metadata.audit_check import Check
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.sockets import socket_folder
from tests.servers import running

_ID = "0198c0de-0000-7000-8000-000000000000"
_EVENT = AuditEvent(
    kind="search.retrieved",
    actor=_ID,
    key_id=_ID,
    address="10.0.0.1",
    trace_id="0" * 32,
    documents=tuple(f"{_ID[:-2]}{number:02}" for number in range(10)),
    detail={"epoch": 1, "hits": 10},
)
Act = Callable[[], None]


def main() -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--records", type=int, default=200_000)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="zhiku-bench-"))
    server = EmbeddedPostgres(home / "postgres", socket_folder(home), durable=True)
    secret = secrets.token_bytes(32)
    try:
        with running(server.prepare(), home / "postgres.log"):
            database = Database(server.url)
            upgrade(database)
            with database.begin() as connection:
                connection.execute(sa.text("CREATE TABLE bare (id bigserial PRIMARY KEY, row jsonb NOT NULL)"))
            database.dispose()
            print(f"{'':34}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}")
            for name in ("bare INSERT … COMMIT", "record"):
                for processes, threads in ((1, 1), (1, 16), (1, 64), (4, 16)):
                    took = _measure(server.url, secret, name, processes, threads, arguments.seconds)
                    _print(f"{name}, {processes} x {threads} threads", took, arguments.seconds)
            _verify(server.url, secret, arguments.records)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(url: str, secret: bytes, name: str, processes: int, threads: int, seconds: float) -> list[float]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        parts = pool.starmap(_load, [(url, secret, name, threads, seconds)] * processes)
    return sorted(took for part in parts for took in part)


def _load(url: str, secret: bytes, name: str, threads: int, seconds: float) -> list[float]:
    """Seconds that each call took, of all threads of one process."""
    database = Database(url, pool_size=max(2, threads))
    trail = AuditTrail(database, ChainKey(secret))
    act: Act = (lambda: trail.record([_EVENT])) if name == "record" else (lambda: _bare(database))
    act()
    until = time.perf_counter() + seconds
    took: list[float] = []

    def work() -> None:
        mine = []
        while (began := time.perf_counter()) < until:
            act()
            mine.append(time.perf_counter() - began)
        took.extend(mine)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    database.dispose()
    return took


def _bare(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("""INSERT INTO bare (row) VALUES ('{"kind": "search.retrieved"}')"""))


def _verify(url: str, secret: bytes, records: int) -> None:
    database = Database(url)
    key = ChainKey(secret)
    trail = AuditTrail(database, key)
    with database.begin() as connection:
        present = connection.execute(sa.text("SELECT seq FROM audit_head")).scalar_one()
    for _ in range(max(0, records - present) // 1000):
        trail.record([_EVENT] * 1000)
    with database.begin() as connection:
        size = connection.execute(sa.text("SELECT pg_total_relation_size('audit_events')")).scalar_one()
    began = time.perf_counter()
    verdict = Check(ChainKeys(key)).run(database, None)
    seconds = time.perf_counter() - began
    database.dispose()
    print(f"{size / verdict.records:,.0f} bytes a record, indexes included")
    print(
        f"verified {verdict.records:,} records in {seconds:.1f} s: {verdict.records / seconds:,.0f}/s, ok={verdict.ok}"
    )


def _print(name: str, took: list[float], seconds: float) -> None:
    p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
    print(f"{name:34}{len(took) / seconds:10,.0f}{p50:9.1f}{p99:9.1f}")


if __name__ == "__main__":
    main()
