"""Long work. The SQL row is the truth; the queue only delivers its id."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "ingest"  # one version of one document: load → clean → chunk → embed → publish
    WITHDRAW = "withdraw"  # close the rows of a deleted document
    RESTAMP = "restamp"  # write a document's new policy or classification onto its rows
    RECONCILE = "reconcile"  # compare the index with SQL and repair it
    REINDEX = "reindex"  # build an index generation beside the live one
    FOLLOW = "follow"  # bring the generations that are kept up to the present epoch
    PROMOTE = "promote"  # make another generation the live one
    DROP = "drop"  # remove a generation's rows
    EVALUATE = "evaluate"  # measure retrieval on a golden set; done by an API process, which has the question path
    CALIBRATE = "calibrate"  # the same, and weigh the evidence of each question; done there, too
    PURGE = "purge"  # remove what retention no longer keeps
    ERASE = "erase"  # remove a document everywhere, and prove it


class JobState(StrEnum):
    """The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A job's row. `done` of `total` counts the present stage's units; `rate` is units per second, `eta` seconds.

    `subject` is the generation, evaluation or erasure that it is about.
    """

    id: str
    kind: JobKind
    state: JobState
    stage: str
    done: int
    total: int
    document_id: str | None
    version: int | None
    space_id: str | None
    subject: str | None
    created_by: str
    attempts: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stage_started_at: datetime | None
    error_code: str | None
    error: str | None
    error_page: int | None

    @property
    def ended(self) -> bool:
        """True once it has succeeded, failed or was cancelled."""
        return self.state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

    @property
    def rate(self) -> float | None:
        """Units per second in the present stage, once any are done."""
        if self.stage_started_at is None or not self.done:
            return None
        end = self.finished_at or datetime.now(tz=self.stage_started_at.tzinfo)
        seconds = (end - self.stage_started_at).total_seconds()
        return self.done / seconds if seconds > 0 else None

    @property
    def eta(self) -> float | None:
        """Seconds until the present stage is done, at the present rate."""
        rate = self.rate
        return (self.total - self.done) / rate if rate and self.state is JobState.RUNNING else None
