"""Publish: the step that readers see, all at once.

1. take the publish lock (one publisher at a time, over all processes), and see which index generation is live
2. undo what a crashed publication left in Milvus
3. plan epoch E+1: every staged version that is next for its document, every withdrawal, what a date has ended
4. note in SQL that E+1 is being written
5. write the new rows to Milvus, valid from E+1
6. close the replaced rows there, valid to E+1
7. commit rows, versions, jobs and the epoch in one SQL transaction, on the connection that holds the lock

Killed anywhere before 7, readers stay at E and the next publication starts with 2; killed after it, E+1 is complete.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

import structlog
from sqlalchemy import Connection

from ingestion.collections import every_collection
from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.job import JobKind
from kbcore.domain.vector import vector_from_bytes
from kbcore.errors import Unavailable
from kbcore.language.weights import unpack
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata import documents, generations, jobs, publication_plan, publications, term_statistics
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import Generation
from kbcore.metadata.index_rows import IndexRow
from kbcore.metadata.publication_plan import PublicationPlan
from kbcore.metadata.publications import PlanOvertaken
from kbcore.vectors.interface import VectorRow

log = structlog.get_logger(__name__)


class PublishStep(StrEnum):
    """The points between which a publication can be killed; tests enumerate them."""

    LOCKED = "locked"
    UNDONE = "undone"
    PLANNED = "planned"
    NOTED = "noted"
    ROWS_WRITTEN = "rows_written"
    ROWS_CLOSED = "rows_closed"
    COMMITTED = "committed"


def _nothing(_step: PublishStep) -> None:
    return None


class Publisher:
    """Publishes whatever is staged into the live index. One for each process; safe to call from several threads.

    `reached` is called after every step: the fault tests stop the process there.
    """

    def __init__(self, platform: Platform, *, reached: Callable[[PublishStep], None] = _nothing) -> None:
        self._platform = platform
        self._reached = reached
        self._unflushed: dict[str, int] = {}
        self._in_doubt = False
        self._acted_until = datetime.min.replace(tzinfo=UTC)

    def publish_staged(self) -> int:
        """Publish all that is ready, in as few publications as it takes; returns how many there were.

        Whoever waits for the lock meanwhile finds its version already published: publications group themselves.
        """
        count = 0
        with self._platform.database.lock(PUBLISH_LOCK) as connection:
            assert connection is not None
            self._reached(PublishStep.LOCKED)
            if self._in_doubt:
                self._order_reconciliation(connection)
            live = self.undo_unfinished(connection)
            self._reached(PublishStep.UNDONE)
            now = self._send_back(connection, live)
            while not (plan := self._plan(connection, live)).empty:
                count += self._publish(connection, live, plan)
            self._drop_superseded(connection)
            with connection.begin():
                publications.enter_force(connection, self._acted_until)
            self._acted_until = now
        return count

    def publish_due(self) -> None:
        """Publish if a version's effective date has come: another version is in force from then on."""
        with self._platform.database.begin() as connection:
            due = publications.due(connection, self._acted_until)
        if due:
            self.publish_staged()

    def restamp(self, document_id: str) -> None:
        """Write a document's present policy and classification onto its rows, in every generation.

        First in SQL, with the statistics that count them, then in Milvus. Killed between, the repetition does the rest.
        """
        with self._platform.database.lock(PUBLISH_LOCK) as connection:
            assert connection is not None
            with connection.begin():
                document = documents.get(connection, document_id)
                term_statistics.move(connection, unpack, document_id=document_id)
            if document is None:
                return
            for generation in every_collection(self._platform, connection):
                self._platform.vectors.restamp(
                    generation.collection,
                    document.key,
                    policy_id=document.policy_id,
                    level=int(document.classification),
                )

    def undo_unfinished(self, connection: Connection) -> Generation:
        """Remove from Milvus what a killed publication wrote there; returns the live generation.

        The caller holds the publish lock on `connection`: it is the live one until the lock is given back.
        """
        with connection.begin():
            live = generations.live(connection)
            unfinished = publications.unfinished(connection)
            epoch = publications.current_epoch(connection)
        if live is None:
            raise Unavailable("there is no index yet; a worker makes it when it starts")
        if unfinished:
            touched = self._platform.vectors.undo_after(live.collection, epoch)
            with connection.begin():
                publications.undone(connection)
            log.warning("undid an unfinished publication", epoch=epoch + 1, rows=touched)
        return live

    def flush(self) -> None:
        """Seal the rows written since the last flush; called when there is nothing else to do."""
        for collection in list(self._unflushed):
            self._unflushed.pop(collection, None)
            self._platform.vectors.flush(collection)

    def _send_back(self, connection: Connection, live: Generation) -> datetime:
        """Versions staged for a generation that is not live any more go back to be cut and embedded; SQL's time."""
        with connection.begin():
            now = publications.moment(connection)
            for document_id, number in publications.unstage_others(connection, live.id):
                chunk_rows.unstage(connection, document_id, number)
        return now

    def _plan(self, connection: Connection, live: Generation) -> PublicationPlan:
        with connection.begin():
            plan = publication_plan.plan(
                connection,
                live.id,
                live.embedding,
                limit=self._platform.settings.worker.publish_max_documents,
                since=self._acted_until,
            )
        self._reached(PublishStep.PLANNED)
        return plan

    def _order_reconciliation(self, connection: Connection) -> None:
        """A lock lost with PostgreSQL, a write that ended in silence: somebody's undoing may have come before it."""
        with connection.begin():
            jobs.insert_once(connection, JobKind.RECONCILE, created_by="system")
        self._in_doubt = False

    def _publish(self, connection: Connection, live: Generation, plan: PublicationPlan) -> bool:
        """Carry out a plan; False if it was overtaken, and undone."""
        vectors = self._platform.vectors
        self._in_doubt = True
        with connection.begin():
            publications.begin(connection, plan.epoch)
        self._reached(PublishStep.NOTED)
        if plan.added:
            vectors.upsert(live.collection, [vector_row(row) for row in plan.added])
        self._reached(PublishStep.ROWS_WRITTEN)
        if plan.closed:
            vectors.close(live.collection, plan.closed, plan.epoch)
        self._reached(PublishStep.ROWS_CLOSED)
        try:
            with connection.begin():
                publications.commit(connection, plan, unpack)
                self._platform.audit.append(connection, *_events(plan))
                publications.committed_now(connection, plan.epoch)
        except PlanOvertaken:
            self.undo_unfinished(connection)
            self._in_doubt = False
            return False
        self._in_doubt = False
        self._reached(PublishStep.COMMITTED)
        log.info("published", epoch=plan.epoch, documents=len(plan.versions), withdrawn=len(plan.withdrawn))
        self._flush_when_many(live.collection, len(plan.added) + len(plan.closed))
        return True

    def _drop_superseded(self, connection: Connection) -> None:
        with connection.begin():
            for document_id, number in publications.skip_superseded(connection):
                chunk_rows.unstage(connection, document_id, number)

    def _flush_when_many(self, collection: str, rows: int) -> None:
        self._unflushed[collection] = self._unflushed.get(collection, 0) + rows
        if self._unflushed[collection] >= self._platform.settings.milvus.flush_rows:
            self.flush()


def _events(plan: PublicationPlan) -> list[AuditEvent]:
    """What the audit log says of a publication."""
    events = []
    if plan.versions:
        versions = [[document, number] for document, number in plan.versions.items()]
        detail = {"epoch": plan.epoch, "index": plan.generation_id, "versions": versions}
        events.append(AuditEvent("document.published", documents=tuple(plan.versions), detail=detail))
    if plan.withdrawn:
        withdrawn = tuple(sorted(plan.withdrawn))
        events.append(AuditEvent("document.withdrawn", documents=withdrawn, detail={"epoch": plan.epoch}))
    return events


def vector_row(row: IndexRow) -> VectorRow:
    """A row from SQL as Milvus gets it."""
    return VectorRow(row.chunk_id, row.stamp, vector_from_bytes(row.vector), unpack(row.terms))
