"""Housekeeping of a worker: it keeps its leases, finds jobs that were lost, and seals segments when all is quiet."""

import threading

import structlog

from ingestion.tasks import Workbench
from kbcore.errors import Unavailable
from kbcore.metadata import jobs

log = structlog.get_logger(__name__)

_SWEEP_LOCK = 0x5A48535745  # "ZHSWE": one of all workers sweeps
_RESEND_AFTER_S = 5.0
_RESEND_LIMIT = 100


class Housekeeper(threading.Thread):
    """A daemon thread that does its round every `worker.sweep_s` seconds."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._bench = bench
        self._stopped = threading.Event()

    def run(self) -> None:
        """Do rounds until stopped; a dependency that does not answer is tried again in the next round."""
        while not self._stopped.wait(self._bench.platform.settings.worker.sweep_s):
            try:
                self.round()
            except Unavailable as error:
                log.warning("housekeeping waits", detail=error.detail)

    def round(self) -> None:
        """Renew this worker's leases; put lost jobs back in line and send them again; flush when nothing is to do."""
        platform = self._bench.platform
        with platform.database.begin() as connection:
            jobs.renew_all(connection, self._bench.name, platform.settings.worker.lease_s)
        with platform.database.lock(_SWEEP_LOCK, wait=False) as connection:
            if connection is None:
                return
            with connection.begin():
                expired = jobs.expire(connection)
            # A broker with deliveries waiting will get to them; an empty one has lost whatever SQL still calls queued.
            lost: list[str] = []
            if not platform.queue.waiting():
                with connection.begin():
                    lost = jobs.unsent(connection, older_than_s=_RESEND_AFTER_S, limit=_RESEND_LIMIT)
            with connection.begin():
                busy = jobs.busy(connection)
        for job_id in dict.fromkeys([*expired, *lost]):
            platform.queue.send(job_id)
        if expired or lost:
            log.info("sent lost jobs again", expired=len(expired), lost=len(lost))
        if not busy:
            self._bench.publisher.flush()

    def stop(self) -> None:
        """Finish the present round and end."""
        self._stopped.set()
        self.join(timeout=10)
