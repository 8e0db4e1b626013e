"""Purge: remove what the retention of a space no longer keeps.

For some versions at a time:
1. take the publish lock (one writer of each collection)
2. choose what is due, and empty its texts: that says in SQL that this history has gaps from now on
3. remove from every kept collection the rows that no remaining version places
4. remove the same from SQL, with places and vectors that nobody needs
5. without the lock: remove the bytes that no version refers to; the version's row stays, marked as purged

Killed anywhere, the version is still due, and every step finds out afresh what is left to do.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

import structlog

from ingestion.pipeline import Progress
from kbcore.audit.events import AuditEvent
from kbcore.blobs.interface import KeptBlob
from kbcore.bootstrap import Platform
from kbcore.language.weights import unpack
from kbcore.metadata import blob_references, generations, removal, retention
from kbcore.metadata.database import PUBLISH_LOCK

log = structlog.get_logger(__name__)

STRAY_AFTER = timedelta(days=1)
"""A blob that no version refers to is removed at this age: no upload takes so long."""

_VERSIONS_AT_ONCE = 100
_BLOBS_AT_ONCE = 500


class PurgeStep(StrEnum):
    """The points between which a purge can be killed; tests enumerate them."""

    LOCKED = "locked"
    CHOSEN = "chosen"
    VECTORS_REMOVED = "vectors_removed"
    ROWS_REMOVED = "rows_removed"
    BYTES_REMOVED = "bytes_removed"
    MARKED = "marked"


def _nothing(_step: PurgeStep) -> None:
    return None


class Purger:
    """Purges spaces and stray blobs. `reached` is called after every step: the fault tests stop the process there."""

    def __init__(self, platform: Platform, *, reached: Callable[[PurgeStep], None] = _nothing) -> None:
        self._platform = platform
        self._reached = reached

    def purge_space(self, space_id: str, progress: Progress) -> int:
        """Remove every version of a space that is due; returns how many there were."""
        with self._platform.database.begin() as connection:
            total = retention.count_due(connection, space_id)
        done = 0
        progress("purge", 0, total)
        while chosen := self._remove_rows(space_id):
            self._remove_bytes(space_id, chosen)
            done += len(chosen)
            progress("purge", done, max(done, total))
        if done:
            log.info("purged", space_id=space_id, versions=done)
        return done

    def remove_stray_blobs(self, progress: Progress) -> int:
        """Remove bytes that were stored for an upload that was then refused; returns how many blobs there were."""
        latest = datetime.now(UTC) - STRAY_AFTER
        done = 0
        for batch in _batches(self._platform.blobs.keys()):
            progress("blobs", done, done)
            done += self._remove_unreferenced(blob.sha256 for blob in batch if blob.stored_at < latest)
        if done:
            log.info("removed stray blobs", blobs=done)
        return done

    def _remove_rows(self, space_id: str) -> list[tuple[str, int]]:
        platform = self._platform
        with platform.database.lock(PUBLISH_LOCK) as connection:
            assert connection is not None
            self._reached(PurgeStep.LOCKED)
            with connection.begin():
                chosen = retention.choose(connection, space_id, _VERSIONS_AT_ONCE)
                retention.forget_texts(connection, chosen)
                rows = removal.rows_only_of(connection, chosen)
                kept = generations.kept(connection)
            self._reached(PurgeStep.CHOSEN)
            for generation in kept:
                if generation.id in rows:
                    platform.vectors.delete(generation.collection, rows[generation.id])
            self._reached(PurgeStep.VECTORS_REMOVED)
            with connection.begin():
                removal.remove_rows(connection, rows, unpack)
                removal.forget_places(connection, chosen)
            self._reached(PurgeStep.ROWS_REMOVED)
        return chosen

    def _remove_bytes(self, space_id: str, chosen: list[tuple[str, int]]) -> None:
        with self._platform.database.begin() as connection:
            for sha256 in sorted(retention.forget_bytes(connection, chosen)):
                self._platform.blobs.delete(sha256)
            self._reached(PurgeStep.BYTES_REMOVED)
            event = AuditEvent(
                "versions.purged",
                documents=tuple(dict.fromkeys(document for document, _ in chosen)),
                detail={"space": space_id, "versions": [[document, number] for document, number in chosen]},
            )
            self._platform.audit.append(connection, event)
        self._reached(PurgeStep.MARKED)

    def _remove_unreferenced(self, sha256s: Iterable[str]) -> int:
        old = set(sha256s)
        with self._platform.database.begin() as connection:
            stray = old - blob_references.referred_to(connection, old)
        for sha256 in sorted(stray):
            with self._platform.database.begin() as connection:
                blob_references.hold_for_removal(connection, [sha256])
                if not blob_references.referred_to(connection, [sha256]):
                    self._platform.blobs.delete(sha256)
        return len(stray)


def _batches(blobs: Iterator[KeptBlob]) -> Iterator[list[KeptBlob]]:
    while batch := list(islice(blobs, _BLOBS_AT_ONCE)):
        yield batch
