"""Carries evaluations out, in an API process: that is where the question path is, with its models loaded."""

import os
import socket
import threading
from dataclasses import asdict

import structlog

from kbcore.audit.events import job_failed
from kbcore.bootstrap import Platform
from kbcore.domain.ids import new_id
from kbcore.domain.job import Job, JobKind, JobState
from kbcore.errors import ItemError, ItemFailed, ItemSkipped, Unavailable
from kbcore.metadata import evaluations, golden_sets, jobs
from kbcore.metadata.jobs import Order
from services.evaluation.measure import measure

_POLL_S = 1.0

log = structlog.get_logger(__name__)


class _LetGo(Exception):
    """The job in hand has ended, or another process has it."""


class EvaluationRunner(threading.Thread):
    """Looks for evaluations in SQL once a second and does one at a time.

    Holds a job by the same lease as a worker does: when this process is killed, another one's runner repeats it.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(name="evaluations", daemon=True)
        self._platform = platform
        self._stopped = threading.Event()
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-8:]}"

    def run(self) -> None:
        """Until stopped."""
        while not self._stopped.wait(_POLL_S):
            try:
                while not self._stopped.is_set() and self.run_next():
                    pass
            except Unavailable as error:
                log.warning("evaluations wait", detail=error.detail)
            except Exception:  # the outermost edge of a thread: without it no evaluation would ever be done again
                log.exception("looking for evaluations failed; it is tried again")

    def stop(self) -> None:
        """Take no more, and put the one in work back in line at its next step; waits up to 5 s."""
        self._stopped.set()
        if self.is_alive():
            self.join(timeout=5)

    def run_next(self) -> bool:
        """Do the oldest waiting evaluation, calibrations after the others; False if there is none, or it must wait."""
        settings = self._platform.settings.worker
        with self._platform.database.begin() as connection:
            job = jobs.claim_next(connection, JobKind.EVALUATE, self.holder, settings.lease_s) or jobs.claim_next(
                connection, JobKind.CALIBRATE, self.holder, settings.lease_s
            )
        return job is not None and self.carry_out(job)

    def carry_out(self, job: Job) -> bool:
        """Do a job that this runner holds; it ends in SQL. False if it went back in line."""
        attempts = self._platform.settings.worker.max_attempts
        structlog.contextvars.bind_contextvars(job_id=job.id)
        try:
            if job.attempts > attempts:
                raise ItemFailed("worker_lost", f"the process died {attempts} times at stage {job.stage}")
            self._measure(job)
        except Unavailable as error:
            log.warning("the evaluation waits", detail=error.detail)
            with self._platform.database.begin() as connection:
                jobs.release(connection, job.id, self.holder)
            return False
        except ItemError as reason:
            self._end(job, reason)
        except _LetGo:
            log.info("the evaluation has ended elsewhere")
        except Exception:  # the outermost edge of a job: nothing ordered may end silently
            log.exception("evaluation failed")
            self._end(job, ItemFailed("internal_error", "internal error; see the log"))
        finally:
            structlog.contextvars.unbind_contextvars("job_id")
        return True

    def _measure(self, job: Job) -> None:
        with self._platform.database.begin() as connection:
            evaluation = evaluations.get(connection, job.subject or "")
            golden = None if evaluation is None else golden_sets.get(connection, evaluation.golden_set_id)
        if evaluation is None or golden is None:
            raise ItemSkipped("evaluation_deleted", "its golden set was deleted before it could be measured")

        def progress(stage: str, done: int, total: int) -> None:
            self._report_progress(job.id, stage, done, total)

        calibrate = job.kind is JobKind.CALIBRATE
        report = measure(self._platform, evaluation, golden, progress, calibrate=calibrate)
        passed = None if report.refused_because is None else not report.refused_because
        with self._platform.database.begin() as connection:
            if not jobs.hold(connection, job.id, self.holder):
                raise _LetGo
            evaluations.finish(connection, evaluation.id, report=asdict(report), passed=passed)
            jobs.finish(connection, [job.id], JobState.SUCCEEDED, stage="done")

    def _report_progress(self, job_id: str, stage: str, done: int, total: int) -> None:
        if self._stopped.is_set():
            raise Unavailable("the process is going down")
        with self._platform.database.begin() as connection:
            jobs.renew(connection, self.holder, [job_id], self._platform.settings.worker.lease_s)
            order = jobs.progress(connection, job_id, self.holder, stage, done, total)
        if order is Order.CANCEL:
            raise ItemSkipped("cancelled", "cancelled on request")
        if order is Order.LET_GO:
            raise _LetGo

    def _end(self, job: Job, reason: ItemError) -> None:
        skipped = isinstance(reason, ItemSkipped)
        with self._platform.database.begin() as connection:
            if jobs.hold(connection, job.id, self.holder):
                state = JobState.CANCELLED if skipped else JobState.FAILED
                jobs.finish(connection, [job.id], state, stage="skipped" if skipped else "failed", reason=reason)
                if not skipped:
                    self._platform.audit.append(connection, job_failed(job, reason))
