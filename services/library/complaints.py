"""Complaints for those who look into them. Their words may quote an answer: not everybody is shown them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, NotFound
from kbcore.metadata import complaints
from kbcore.metadata.complaints import Complaint
from kbcore.metadata.passages import readable_documents


@dataclass(frozen=True, slots=True)
class ShownComplaint:
    """A complaint; its words, and the note of who closed it, are shown to who may read all that the answer was written
    from, and each to who wrote it."""

    complaint: Complaint
    words_shown: bool
    note_shown: bool


def list_complaints(
    connection: Connection, caller: Caller, *, open_only: bool | None, limit: int, before: str | None
) -> list[ShownComplaint]:
    """The newest first."""
    return _shown(connection, caller, complaints.page(connection, open_only=open_only, limit=limit, before=before))


def close_complaint(connection: Connection, caller: Caller, complaint_id: str, note: str) -> ShownComplaint:
    """Say that it was looked into. Raises `NotFound("complaint")` and `Conflict` (`complaint_closed`)."""
    found = complaints.get(connection, complaint_id)
    if found is None:
        raise NotFound("complaint")
    if found.closed_at is not None:
        raise Conflict("This complaint has been closed already.", code="complaint_closed")
    closed = complaints.close(connection, complaint_id, closed_by=caller.user_id, note=note)
    return _shown(connection, caller, [closed])[0]


def _shown(connection: Connection, caller: Caller, found: Sequence[Complaint]) -> list[ShownComplaint]:
    behind = complaints.documents_behind(connection, [each.trace_id for each in found])
    wanted = sorted({document for documents in behind.values() for document in documents})
    readable = readable_documents(connection, caller.user_id, wanted) if wanted else frozenset()
    reads = {each.id: each.trace_id in behind and behind[each.trace_id] <= readable for each in found}
    return [
        ShownComplaint(
            each,
            words_shown=reads[each.id] or each.user_id == caller.user_id,
            note_shown=reads[each.id] or each.closed_by == caller.user_id,
        )
        for each in found
    ]
