"""Erase: remove one document everywhere, look whether it is gone, and sign what was found.

The request has ended the document already, in one transaction: nobody reads it, and no job can add to it any more. Then

1. take the publish lock (one writer of each collection)
2. note in SQL what there is, before any of it goes: a killed worker's successor must still be able to look for it
3. remove the document's rows from every kept collection, whatever SQL knows of them
4. remove rows, places, texts, and vectors that nobody else needs from SQL
5. without the lock: remove the bytes that no other document has
6. note and empty the answers that rest on it, what was said about them, remembered replies, and questions in traces
7. empty titles, names, tags and comments; the ledger keeps that so many versions were received
8. remove the vectors that no row needs, for they may have been made for it
9. probe every place; what is found sends it back to 1
10. sign and keep the certificate

Every step may be repeated; killed anywhere, the job starts over and ends with the same certificate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from ingestion.collections import every_collection
from ingestion.pipeline import Progress
from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.errors import ItemFailed
from kbcore.language.weights import unpack
from kbcore.metadata import blob_references, erasures, generations, remnants, removal, retention, scrub, traces
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.erasures import Erasure, Found
from kbcore.metadata.generations import Generation

log = structlog.get_logger(__name__)

_ROUNDS = 3


class EraseStep(StrEnum):
    """The points between which an erasure can be killed; tests enumerate them."""

    LOCKED = "locked"
    NOTED = "noted"
    VECTORS_REMOVED = "vectors_removed"
    ROWS_REMOVED = "rows_removed"
    BYTES_REMOVED = "bytes_removed"
    BYTES_FORGOTTEN = "bytes_forgotten"
    ANSWERS_EMPTIED = "answers_emptied"
    NAMES_EMPTIED = "names_emptied"
    ORPHANS_REMOVED = "orphans_removed"
    PROBED = "probed"
    CERTIFIED = "certified"


@dataclass(frozen=True, slots=True)
class Probe:
    """Where was looked, for how many things (None: for the document as such), and how many were found."""

    where: str
    asked: int | None
    found: int


@dataclass(frozen=True, slots=True)
class Probed:
    """All probes; and what is still there because others need it."""

    probes: tuple[Probe, ...]
    vectors_needed: int
    blobs_needed: int

    @property
    def left(self) -> list[str]:
        """Where something was found."""
        return [probe.where for probe in self.probes if probe.found]


def _nothing(_step: EraseStep) -> None:
    return None


class Eraser:
    """Carries out erasures. `reached` is called after every step: the fault tests stop the process there."""

    def __init__(self, platform: Platform, *, reached: Callable[[EraseStep], None] = _nothing) -> None:
        self._platform = platform
        self._reached = reached

    def erase(self, erasure_id: str, progress: Progress) -> None:
        """Erase, probe and certify; does nothing if that is done. Raises `ItemFailed` (`erase_incomplete`)."""
        with self._platform.database.begin() as connection:
            erasure = erasures.get(connection, erasure_id)
        if erasure is None:
            raise ItemFailed("erase_incomplete", "there is no such erasure")
        if erasure.certificate is not None:
            return
        left: list[str] = []
        for _ in range(_ROUNDS):
            probed = self._round(erasure, progress)
            left = probed.left
            if not left:
                log.info("erased", erasure_id=erasure.id)
                return
            log.warning("an erased document is still found; it is erased again", where=left)
        raise ItemFailed("erase_incomplete", f"removed {_ROUNDS} times and still found in: {', '.join(left)}")

    def _round(self, erasure: Erasure, progress: Progress) -> Probed:
        progress("index", 0, 4)
        found, probed_in = self._remove_rows(erasure)
        progress("bytes", 1, 4)
        self._remove_bytes(erasure, found)
        progress("answers", 2, 4)
        found = self._scrub(erasure)
        progress("probe", 3, 4)
        before = self._remove_orphans()
        probed = self._probe(erasure, found, probed_in, before)
        self._reached(EraseStep.PROBED)
        if not probed.left:
            self._certify(erasure, found, probed, probed_in)
            self._reached(EraseStep.CERTIFIED)
        return probed

    def _remove_rows(self, erasure: Erasure) -> tuple[Found, list[Generation]]:
        platform, document_id = self._platform, erasure.document_id
        with platform.database.lock(PUBLISH_LOCK) as connection:
            assert connection is not None
            self._reached(EraseStep.LOCKED)
            with connection.begin():
                key = erasures.document_key(connection, document_id)
                for generation in generations.hold_given_up(connection):
                    platform.vectors.drop(generation.collection)  # nobody may search it any more
            kept = every_collection(platform, connection)  # and what was begun again before that, with what it holds
            vectors = {each.collection: platform.vectors.count(each.collection, key) for each in kept}
            with connection.begin():
                rows = removal.rows_of_document(connection, document_id)
                found = erasures.keep_found(
                    connection,
                    erasure.id,
                    Found(
                        versions=len(scrub.version_numbers(connection, document_id)),
                        rows={generation: frozenset(ids) for generation, ids in rows.items()},
                        vectors=vectors,
                        hashes=frozenset(item.hex() for item in removal.hashes_of(connection, rows)),
                        blobs=scrub.blobs_of(connection, document_id),
                    ),
                )
            self._reached(EraseStep.NOTED)
            for generation in kept:
                platform.vectors.delete_document(generation.collection, key)
                platform.vectors.delete(generation.collection, found.rows.get(generation.id, frozenset()))
            self._reached(EraseStep.VECTORS_REMOVED)
            with connection.begin():
                removal.remove_rows(connection, rows, unpack)
                removal.forget_places(connection, scrub.version_numbers(connection, document_id))
                retention.forget_texts(connection, scrub.version_numbers(connection, document_id))
            self._reached(EraseStep.ROWS_REMOVED)
        return found, kept

    def _remove_bytes(self, erasure: Erasure, found: Found) -> None:
        with self._platform.database.begin() as connection:
            chosen = scrub.version_numbers(connection, erasure.document_id)
            blob_references.hold_for_removal(connection, found.blobs)
            free = retention.forget_bytes(connection, chosen)
            free |= found.blobs - blob_references.referred_to(connection, found.blobs)
            for sha256 in sorted(free):
                self._platform.blobs.delete(sha256)
            self._reached(EraseStep.BYTES_REMOVED)
        self._reached(EraseStep.BYTES_FORGOTTEN)

    def _scrub(self, erasure: Erasure) -> Found:
        """Returns all that was found, what people's records said included: noted before they are emptied."""
        with self._platform.database.begin() as connection:
            traces.await_recorded(connection)
        with self._platform.database.begin() as connection:
            mentions = scrub.mentions(connection, erasure.document_id)
            found = erasures.keep_found(
                connection,
                erasure.id,
                Found(
                    turns=mentions.turns,
                    comments=mentions.comments,
                    replies=mentions.replies,
                    traces=mentions.traces,
                ),
            )
            scrub.forget_mentions(connection, erasure.document_id)
        self._reached(EraseStep.ANSWERS_EMPTIED)
        with self._platform.database.begin() as connection:
            scrub.forget_names(connection, erasure.document_id)
        self._reached(EraseStep.NAMES_EMPTIED)
        return found

    def _remove_orphans(self) -> datetime:
        """Vectors that no row names may be of this document; returns the time before which they were stored.

        Just before the probe: work on other documents leaves new ones at any time.
        """
        with self._platform.database.begin() as connection:
            before = removal.forget_orphans(connection)
        self._reached(EraseStep.ORPHANS_REMOVED)
        return before

    def _probe(self, erasure: Erasure, found: Found, searched: list[Generation], before: datetime) -> Probed:
        platform = self._platform
        hashes = [bytes.fromhex(item) for item in found.hashes]
        with platform.database.begin() as connection:
            orphans = remnants.orphaned_vectors(connection, before)
            probes = [Probe(where, None, n) for where, n in remnants.in_sql(connection, erasure.document_id).items()]
            unneeded, needed = remnants.stored_vectors(connection, hashes, before)
            referred = blob_references.referred_to(connection, found.blobs)
            key = erasures.document_key(connection, erasure.document_id)
        probes.append(Probe("sql stored vectors", len(hashes), unneeded))
        probes.append(Probe("sql vectors that no row needs", None, orphans))
        for generation in searched:
            where = f"index {generation.collection}"
            ids = found.rows.get(generation.id, frozenset())
            present = platform.vectors.present(generation.collection, ids)
            probes.append(Probe(f"{where}, by document", None, platform.vectors.count(generation.collection, key)))
            probes.append(Probe(f"{where}, by row", len(ids), len(present)))
        gone = found.blobs - referred
        probes.append(Probe("original bytes", len(gone), sum(map(platform.blobs.exists, gone))))
        return Probed(tuple(probes), vectors_needed=needed, blobs_needed=len(referred))

    def _certify(self, erasure: Erasure, found: Found, probed: Probed, searched: list[Generation]) -> None:
        finished_at = datetime.now(UTC)
        certificate = self._platform.certificates.sign(
            {
                "erasure_id": erasure.id,
                "document_id": erasure.document_id,
                "requested_by": erasure.requested_by,
                "requested_at": erasure.created_at.astimezone(UTC).isoformat(),
                "finished_at": finished_at.isoformat(),
                "removed": _removed(found, probed),
                "kept": _kept(found, probed),
                "probes": [{"where": p.where, "asked": p.asked, "found": p.found} for p in probed.probes],
                "generations": [
                    {"id": each.id, "collection": each.collection, "embedding": each.embedding} for each in searched
                ],
            }
        )
        with self._platform.database.begin() as connection:
            erasures.certify(connection, erasure.id, certificate, finished_at)
            event = AuditEvent("document.erased", documents=(erasure.document_id,), detail={"erasure": erasure.id})
            self._platform.audit.append(connection, event)


def _removed(found: Found, probed: Probed) -> dict[str, int]:
    return {
        "versions": found.versions,
        "chunks": sum(map(len, found.rows.values())),
        "vectors": sum(found.vectors.values()),
        "embeddings": len(found.hashes) - probed.vectors_needed,
        "blobs": len(found.blobs) - probed.blobs_needed,
        "turns": len(found.turns),
        "comments": found.comments,
        "replies": found.replies,
        "trace_questions": found.traces,
    }


def _kept(found: Found, probed: Probed) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = [
        {
            "what": "ledger entries",
            "count": found.versions,
            "why": "that versions were received, when and by whom, without any name or content",
        }
    ]
    if probed.blobs_needed:
        kept.append({"what": "blobs", "count": probed.blobs_needed, "why": "another document has the same bytes"})
    if probed.vectors_needed:
        why = "passages of other documents have the same text"
        kept.append({"what": "embeddings", "count": probed.vectors_needed, "why": why})
    if found.turns:
        kept.append({"what": "questions", "count": len(found.turns), "why": "people's own words; the answers are gone"})
    return kept
