"""Housekeeping of a worker: leases, lost jobs, sealed segments when all is quiet, retention, heads of the audit log."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from ingestion.index.work import knows_model
from ingestion.tasks import Workbench
from ingestion.watch import watch
from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import Unavailable
from kbcore.metadata import audit_verify, cached_answers, generations, jobs, retention, traces
from kbcore.metadata.audit_export import export_head

log = structlog.get_logger(__name__)

_SWEEP_LOCK = 0x5A48535745  # "ZHSWE": one of all workers sweeps
_RETENTION_LOCK = 0x5A48524554  # "ZHRET": one of all workers looks what is due; no sweep has to wait for that
_RESEND_AFTER_S = 5.0
_OVERTAKEN_BY_S = 60.0
_RESEND_LIMIT = 100
_PRUNE_LIMIT = 5000
_RETENTION_EVERY_S = 300.0  # how often is looked; a space is purged at most hourly
_VERIFY_LOOK_S = 60.0  # how often is looked whether the audit log is due


class Housekeeper:
    """Daemon threads: leases are renewed whatever the sweeping has to wait for."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        every_s = bench.platform.settings.worker.sweep_s
        self._threads = (
            Repeated("leases", every_s, bench.renew_leases),
            Repeated("sweeper", every_s, self.sweep),
            Repeated("retention", _RETENTION_EVERY_S, self.order_purges),
            Repeated("audit heads", bench.platform.settings.audit.export_every_s, self.export_head),
            Repeated("audit log", _VERIFY_LOOK_S, self.verify_audit),
            Repeated("traces", _RETENTION_EVERY_S, self.prune_traces),
            Repeated("anomalies", bench.platform.settings.anomaly.every_s, self.watch),
        )

    def start(self) -> None:
        """Begin; the first round comes after `worker.sweep_s` seconds."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the present rounds and end."""
        for thread in self._threads:
            thread.stop()

    def sweep(self) -> None:
        """Put lost jobs back in line and send them again; flush when nothing is to do."""
        platform = self._bench.platform
        with platform.database.lock(_SWEEP_LOCK, wait=False) as connection:
            if connection is None:
                return
            with connection.begin():
                expired = jobs.expire(connection)
            # An empty broker has lost whatever SQL still calls queued; else those that others have overtaken are lost.
            empty = not platform.queue.waiting()
            with connection.begin():
                if empty:
                    lost = jobs.unsent(connection, older_than_s=_RESEND_AFTER_S, limit=_RESEND_LIMIT)
                else:
                    lost = jobs.overtaken(connection, by_s=_OVERTAKEN_BY_S, limit=_RESEND_LIMIT)
                busy = jobs.busy(connection)
                following = _order_following(platform, connection)
        for job_id in dict.fromkeys([*expired, *lost, *following]):
            platform.queue.send(job_id)
        if expired or lost:
            log.info("sent lost jobs again", expired=len(expired), lost=len(lost))
        self._bench.publisher.publish_due()
        if not busy:
            self._bench.publisher.flush()

    def watch(self) -> None:
        """Judge what is new in the audit log."""
        watch(self._bench.platform, datetime.now(UTC))

    def prune_traces(self) -> None:
        """Remove traces that are older than they are kept, and answers that are given again no more."""
        platform = self._bench.platform
        with platform.database.begin() as connection:
            cached_answers.prune(connection)
        keep_days = platform.settings.traces.keep_days
        before = datetime.now(UTC) - timedelta(days=keep_days)
        removed = _PRUNE_LIMIT if keep_days else 0
        while removed == _PRUNE_LIMIT:
            with platform.database.begin() as connection:
                removed = traces.prune(connection, before=before, limit=_PRUNE_LIMIT)

    def order_purges(self) -> None:
        """Queue what retention asks for."""
        platform = self._bench.platform
        with platform.database.lock(_RETENTION_LOCK, wait=False) as connection:
            if connection is None:
                return
            with connection.begin():
                ordered = retention.order_due(connection)
        for job_id in ordered:
            platform.queue.send(job_id)

    def export_head(self) -> None:
        """Verify what is new in the audit log, and keep its end where the database can't reach."""
        platform = self._bench.platform
        verdict = export_head(platform.database, platform.audit.keys, platform.audit_heads)
        if verdict is not None and verdict.first_broken is not None:
            broken = verdict.first_broken
            log.error("the audit log was changed; no head of it is exported", seq=broken.seq, why=broken.why)

    def verify_audit(self) -> None:
        """Verify the whole audit log when it is due; what was found is recorded in it."""
        platform = self._bench.platform
        every_hours = platform.settings.audit.verify_every_hours
        with platform.database.begin() as connection:
            if not every_hours or not audit_verify.is_due(connection, every_hours):
                return
        verdict = audit_verify.verify(platform.database, platform.audit.keys, platform.audit_heads)
        if verdict is None:
            return
        platform.audit.record([AuditEvent("audit.verified", detail=verdict.recorded())])
        if verdict.first_broken is not None:
            broken = verdict.first_broken
            log.error("the audit log was changed", seq=broken.seq, why=broken.why)


def _order_following(platform: Platform, connection: Connection) -> list[str]:
    """A job for the generations that are behind the live one, unless one is at it."""
    if not any(knows_model(platform, generation) for generation in generations.behind(connection)):
        return []
    under_way = (JobState.QUEUED, JobState.RUNNING)
    ordered = jobs.insert_once(connection, JobKind.FOLLOW, created_by="system", unless=under_way)
    return [] if ordered is None else [ordered]


class Repeated(threading.Thread):
    """A daemon thread that does the same every so many seconds, whatever went wrong the time before."""

    def __init__(self, name: str, every_s: float, action: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._every_s, self._action = every_s, action
        self._stopped = threading.Event()

    def run(self) -> None:
        """Until stopped."""
        while not self._stopped.wait(self._every_s):
            try:
                self._action()
            except Unavailable as error:
                log.warning("housekeeping waits", thread=self.name, detail=error.detail)
            except Exception:  # the outermost edge of a thread: without it the worker would hold no lease
                log.exception("housekeeping failed; it is tried again", thread=self.name)

    def stop(self) -> None:
        """Finish the present round and end."""
        self._stopped.set()
        self.join(timeout=10)
