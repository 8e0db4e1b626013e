"""Tasks: what a worker does with a job's id. Safe to run twice, and by two workers."""

import os
import socket
import threading
from functools import partial

import structlog

from ingestion.erase import Eraser
from ingestion.index.work import IndexWork
from ingestion.load.sandbox import ParserProcess
from ingestion.pipeline import DocumentPath
from ingestion.publish import Publisher
from ingestion.purge import Purger
from kbcore.audit.events import job_failed
from kbcore.bootstrap import Platform
from kbcore.domain.document import VersionState
from kbcore.domain.ids import new_id
from kbcore.domain.job import Job, JobKind, JobState
from kbcore.errors import ItemError, ItemFailed, ItemSkipped, Unavailable
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata import jobs, versions
from kbcore.metadata.jobs import Order

log = structlog.get_logger(__name__)

CANCELLED = "cancelled"


class _LetGo(Exception):
    """The job in hand has ended, or another worker has it."""


class Workbench:
    """One worker process: runs jobs on any of its threads, each with a parsing process of its own."""

    def __init__(self, platform: Platform, publisher: Publisher) -> None:
        self.platform = platform
        self.publisher = publisher
        self._index = IndexWork(platform, publisher)
        # A restarted container has the host name and pid of the one before: that one's jobs must not seem to be ours.
        self.name = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-8:]}"
        self._stopping = threading.Event()
        self._held: set[str] = set()
        self._holding = threading.Lock()
        self._thread = threading.local()
        self._parsers: list[ParserProcess] = []

    def run(self, job_id: str) -> None:
        """Do a job, if nobody else has it; it ends in SQL as succeeded, failed or cancelled, or goes back in line."""
        with self._holding:
            if job_id in self._held or self._stopping.is_set():
                return
            self._held.add(job_id)
        structlog.contextvars.bind_contextvars(job_id=job_id)
        try:
            with self.platform.database.begin() as connection:
                job = jobs.claim(connection, job_id, self.name, self.platform.settings.worker.lease_s)
            if job is not None:
                self._run(job)
        except Unavailable as error:
            # What SQL was not told it learns from the lease: nobody renews that any more.
            log.warning("SQL does not answer; the job waits", detail=error.detail)
        finally:
            structlog.contextvars.unbind_contextvars("job_id")
            with self._holding:
                self._held.discard(job_id)

    def renew_leases(self) -> None:
        """Keep holding the jobs in work here, and no others."""
        with self._holding:
            held = list(self._held)
        if held:
            with self.platform.database.begin() as connection:
                jobs.renew(connection, self.name, held, self.platform.settings.worker.lease_s)

    def stop_soon(self) -> None:
        """Take no more jobs, and put those in work back in line at their next step. Safe in a signal handler."""
        self._stopping.set()

    def close(self) -> None:
        """Put unfinished jobs back in line and stop the parsing processes."""
        with self.platform.database.begin() as connection:
            jobs.release_all(connection, self.name)
        for parser in self._parsers:
            parser.close()

    def _run(self, job: Job) -> None:
        settings = self.platform.settings.worker
        try:
            if job.cancel_requested:
                raise ItemSkipped(CANCELLED, "cancelled on request")
            if job.attempts > settings.max_attempts:
                raise ItemFailed("worker_lost", f"the worker died {settings.max_attempts} times at stage {job.stage}")
            self._do(job)
        except Unavailable as error:
            log.warning("the job waits", detail=error.detail)
            with self.platform.database.begin() as connection:
                jobs.release(connection, job.id, self.name)
        except ItemError as reason:
            self._end(job, reason)
        except _LetGo:
            log.info("the job has ended elsewhere")
        except Exception:  # the outermost edge of a task: nothing received may end silently
            log.exception("job failed")
            self._end(job, ItemFailed("internal_error", f"internal error at stage {self._stage_of(job)}; see the log"))

    def _do(self, job: Job) -> None:
        match job.kind:
            case JobKind.INGEST:
                self._ingest(job)
            case JobKind.WITHDRAW:
                self.publisher.publish_staged()
            case JobKind.RESTAMP:
                assert job.document_id is not None
                self.publisher.restamp(job.document_id)
                self._finish(job)
            case JobKind.PURGE:
                self._purge(job)
            case JobKind.ERASE:
                assert job.subject is not None
                Eraser(self.platform).erase(job.subject, partial(self._progress, job))
                self._finish(job)
            case _:
                self._index.run(job, partial(self._progress, job))
                self._finish(job)

    def _progress(self, job: Job, stage: str, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise Unavailable("the worker is going down")
        with self.platform.database.begin() as connection:
            order = jobs.progress(connection, job.id, self.name, stage, done, total)
        if order is Order.CANCEL:
            raise ItemSkipped(CANCELLED, "cancelled on request")
        if order is Order.LET_GO:
            raise _LetGo

    def _ingest(self, job: Job) -> None:
        assert job.document_id is not None
        assert job.version is not None
        path = DocumentPath(self.platform, self.publisher, self._parser())
        version = path.run(job.document_id, job.version, partial(self._progress, job))
        if version.state is VersionState.INDEXED:
            self._finish(job)
        else:
            raise ItemSkipped(version.reason_code or "superseded", version.reason or "a newer version took its place")

    def _purge(self, job: Job) -> None:
        purger = Purger(self.platform)
        if job.space_id is None:
            purger.remove_stray_blobs(partial(self._progress, job))
        else:
            purger.purge_space(job.space_id, partial(self._progress, job))
        self._finish(job)

    def _finish(self, job: Job) -> None:
        with self.platform.database.begin() as connection:
            jobs.finish(connection, [job.id], JobState.SUCCEEDED, stage="done")

    def _end(self, job: Job, reason: ItemError) -> None:
        """End the job and its version together, with the reason; nothing, if they ended elsewhere meanwhile."""
        skipped = isinstance(reason, ItemSkipped)
        with self.platform.database.begin() as connection:
            if not jobs.hold(connection, job.id, self.name):
                return
            if job.document_id is not None and job.version is not None:
                state = VersionState.SKIPPED if skipped else VersionState.FAILED
                if versions.mark_ended(connection, job.document_id, job.version, state, reason):
                    chunk_rows.unstage(connection, job.document_id, job.version)
            ended = (
                JobState.CANCELLED if reason.code == CANCELLED else (JobState.SUCCEEDED if skipped else JobState.FAILED)
            )
            jobs.finish(connection, [job.id], ended, stage="skipped" if skipped else "failed", reason=reason)
            given_up = self._index.give_up(connection, job, skipped=skipped)
            if ended is JobState.FAILED:
                self.platform.audit.append(connection, job_failed(job, reason))
        if given_up is not None:
            self._index.remove(given_up)

    def _stage_of(self, job: Job) -> str:
        with self.platform.database.begin() as connection:
            latest = jobs.get(connection, job.id)
        return latest.stage if latest else job.stage

    def _parser(self) -> ParserProcess:
        if not hasattr(self._thread, "parser"):
            self._thread.parser = ParserProcess(self.platform.settings.parsing)
            self._parsers.append(self._thread.parser)
        parser: ParserProcess = self._thread.parser
        return parser
