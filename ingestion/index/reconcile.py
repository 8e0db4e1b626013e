"""Reconcile: make the vector index hold exactly what SQL says, after a crash, a lost disk or a wiped server."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from ingestion.publish import vector_row
from kbcore.bootstrap import Platform
from kbcore.language.weights import unpack
from kbcore.metadata import index_rows, publications, term_statistics
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import Generation, GenerationState

log = structlog.get_logger(__name__)

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Repair:
    """How many rows were written again (missing, or with wrong stamps) and how many were removed as foreign."""

    written: int
    removed: int


def counts_agree(platform: Platform, generation: Generation) -> bool:
    """The quick check: as many rows in the index as in SQL."""
    with platform.database.begin() as connection:
        expected = index_rows.count(connection, generation.id)
    return platform.vectors.count(generation.collection) == expected


def reconcile(platform: Platform, generation: Generation) -> Repair:
    """Compare every row's key and stamp, write what is missing or wrong from SQL, remove what SQL does not know.

    Before that, SQL's own stamps and statistics are brought to the documents' present policies and levels. Holds the
    publish lock; embeds nothing. Also rebuilds an empty collection.
    """
    with platform.database.lock(PUBLISH_LOCK) as connection:
        assert connection is not None
        return reconcile_locked(platform, generation, connection)


def reconcile_locked(platform: Platform, generation: Generation, connection: Connection) -> Repair:
    """`reconcile` by a caller that holds the publish lock on `connection`."""
    store, collection = platform.vectors, generation.collection
    with connection.begin():
        term_statistics.move(connection, unpack, generation_id=generation.id)
        expected = dict(index_rows.expected(connection, generation.id))
    foreign: list[str] = []
    wrong = dict(expected)
    for chunk_id, stamp in store.scan(collection):
        if chunk_id not in expected:
            foreign.append(chunk_id)
        elif expected[chunk_id] == stamp:
            del wrong[chunk_id]
    for ids in _batches(wrong):
        with connection.begin():
            rows = index_rows.full(connection, generation.id, generation.embedding, ids)
        store.upsert(collection, [vector_row(row) for row in rows])
    for ids in _batches(foreign):
        store.delete(collection, ids)
    if generation.state is GenerationState.LIVE:
        with connection.begin():
            publications.undone(connection)
    if wrong or foreign:
        store.flush(collection)
        log.warning("repaired the vector index", written=len(wrong), removed=len(foreign))
    return Repair(written=len(wrong), removed=len(foreign))


def _batches(ids: Collection[str]) -> Iterator[list[str]]:
    ordered = list(ids)
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]
