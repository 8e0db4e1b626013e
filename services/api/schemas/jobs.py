"""Jobs and the ledger on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from kbcore.domain.job import Job, JobKind, JobState
from kbcore.metadata.ledger import LedgerItem, LedgerSum
from services.api.schemas.documents import Reason

Outcome = Literal["indexed", "skipped", "failed", "pending"]


class JobShown(BaseModel):
    """A piece of long work."""

    id: str
    kind: JobKind
    state: JobState
    stage: str = Field(description="What is being done: `queued`, `load`, `clean`, `chunk`, `embed`, `publish`, …")
    done: int = Field(description="Units of the present stage that are done.")
    total: int = Field(description="Units of the present stage; 0 while unknown.")
    rate: float | None = Field(description="Units a second in the present stage.")
    eta: float | None = Field(description="Seconds until the present stage is done.")
    document_id: str | None
    version: int | None
    space_id: str | None
    created_by: str = Field(description="A user's id.")
    attempts: int = Field(description="How often a worker began it.")
    cancel_requested: bool
    error: Reason | None = Field(description="Why it failed, or why its item was skipped.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the domain."""
        error = None
        if job.error_code is not None:
            error = Reason(code=job.error_code, detail=job.error or "", page=job.error_page)
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            stage=job.stage,
            done=job.done,
            total=job.total,
            rate=job.rate,
            eta=job.eta,
            document_id=job.document_id,
            version=job.version,
            space_id=job.space_id,
            created_by=job.created_by,
            attempts=job.attempts,
            cancel_requested=job.cancel_requested,
            error=error,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


class Sums(BaseModel):
    """Received items by how they ended: `received = indexed + skipped + failed + pending`, always."""

    received: int
    indexed: int
    skipped: int
    failed: int
    pending: int

    @classmethod
    def of(cls, rows: list[LedgerSum]) -> Self:
        """Add up."""
        by_outcome = {"indexed": 0, "skipped": 0, "failed": 0, "pending": 0}
        for row in rows:
            by_outcome[row.outcome] += row.items
        return cls(received=sum(by_outcome.values()), **by_outcome)


class SpaceSums(Sums):
    """One space's part."""

    space: str = Field(description="Name of the space.")


class ReasonCount(BaseModel):
    """How many items ended for one reason."""

    outcome: Outcome
    code: str
    items: int


class LedgerLine(BaseModel):
    """One received item: a version of a document."""

    document_id: str
    version: int
    space: str
    external_id: str | None
    title: str
    file_name: str
    outcome: Outcome
    reason: Reason | None
    pages: int | None
    element_counts: dict[str, int]
    received_at: datetime

    @classmethod
    def of(cls, item: LedgerItem) -> Self:
        """From SQL."""
        reason = None
        if item.reason_code is not None:
            reason = Reason(code=item.reason_code, detail=item.reason or "", page=item.reason_page)
        return cls.model_validate(
            {
                **{name: getattr(item, name) for name in cls.model_fields if hasattr(item, name)},
                "reason": reason,
                "received_at": item.created_at,
            }
        )


class Ledger(BaseModel):
    """What became of everything received, of what you may see."""

    totals: Sums
    spaces: list[SpaceSums]
    reasons: list[ReasonCount] = Field(description="Why items were skipped or failed, most frequent first.")
    items: list[LedgerLine] = Field(description="Newest first; of documents that you may read.")
    next_cursor: str | None = Field(description="Pass as `cursor` for more items; null on the last page.")
