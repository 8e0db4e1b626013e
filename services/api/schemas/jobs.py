"""Jobs on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from kbcore.domain.job import Job, JobKind, JobState
from services.api.schemas.documents import Reason


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
