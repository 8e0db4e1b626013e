"""Complaints on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.names import Text
from services.library.complaints import ShownComplaint


class ComplaintOut(BaseModel):
    """A complaint about an answer."""

    id: str
    trace_id: str = Field(description="Of the answer: `GET /v1/traces/{trace_id}` says how it came about.")
    user_id: str
    created_at: datetime
    state: Literal["open", "closed"]
    reason: str | None
    comment: str | None = Field(description="In the person's own words.")
    words_withheld: bool = Field(
        description="They may quote the answer: you may not read everything that it was written from."
    )
    closed_at: datetime | None
    closed_by: str | None
    note: str | None = Field(description="What whoever closed it has to say.")

    @classmethod
    def of(cls, shown: ShownComplaint) -> Self:
        """The public shape."""
        complaint, words = shown.complaint, shown.words_shown
        return cls(
            id=complaint.id,
            trace_id=complaint.trace_id,
            user_id=complaint.user_id,
            created_at=complaint.created_at,
            state="open" if complaint.closed_at is None else "closed",
            reason=complaint.reason if words else None,
            comment=complaint.comment if words else None,
            words_withheld=not words,
            closed_at=complaint.closed_at,
            closed_by=complaint.closed_by,
            note=complaint.closing_note if shown.note_shown else None,
        )


class CloseBody(BaseModel):
    """How a complaint ends."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["closed"] = "closed"
    note: Text = Field(min_length=1, max_length=4000, description="What was found and done.")
