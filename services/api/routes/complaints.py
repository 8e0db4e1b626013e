"""`/v1/complaints`: answers that somebody should look into."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.complaints import CloseBody, ComplaintOut
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.complaints import close_complaint, list_complaints

router = APIRouter(prefix="/v1/complaints", tags=["audit"])

_WORDS = frozenset({"reason", "comment", "note"})
"""What a repeated request is not shown again: rights may have changed."""


@router.get("", summary="List the complaints about answers", responses=problems(400, 403))
def list_all(
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    state: Annotated[Literal["open", "closed"] | None, Query(description="Only these.")] = None,
) -> Page[ComplaintOut]:
    """Newest first. For auditors and administrators.

    Reason and comment are the person's own words and may quote the answer: they are shown to who may read everything
    that the answer was written from.
    """
    open_only = None if state is None else state == "open"
    with platform.database.snapshot() as connection:
        rows = list_complaints(connection, caller, open_only=open_only, limit=page.fetch, before=page.after)
    return page.page(rows, lambda row: row.complaint.id, ComplaintOut.of)


@router.patch(
    "/{complaint_id}",
    summary="Close a complaint",
    response_model=ComplaintOut,
    responses=problems(403, 404, 409),
)
def close(complaint_id: str, body: CloseBody, write: WriteDep, caller: CallerDep) -> Response:
    """With a note of what was found. For administrators."""

    def work(connection: Connection) -> Done:
        shown = close_complaint(connection, caller, complaint_id, body.note)
        closed = AuditEvent.by(caller, "complaint.closed", complaint=complaint_id, of=shown.complaint.trace_id)
        return Done(ComplaintOut.of(shown), secret=_WORDS, events=(closed,))

    return write.perform(work, before_replay=None)
