"""`/v1/audit`: reading the audit log, and verifying that nobody has changed it."""

from typing import Annotated

from fastapi import APIRouter, Query

from kbcore.audit.events import AuditEvent
from kbcore.errors import Conflict, RequestError
from kbcore.metadata import audit_pages
from kbcore.metadata.audit_pages import AuditFilter
from kbcore.metadata.audit_verify import verify as verify_log
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.paging import PageDep
from services.api.schemas.audit import AuditEventShown, AuditVerdict, VerifyBody
from services.api.schemas.names import Moment, Text
from services.api.schemas.page import Page
from services.api.schemas.problem import problems

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", summary="Read the audit log", responses=problems(400, 403))
def list_events(
    page: PageDep,
    platform: PlatformDep,
    _caller: CallerDep,
    actor: Annotated[Text | None, Query(description="What this user did, or others for it: name or id.")] = None,
    document: Annotated[Text | None, Query(description="What was done with this document.")] = None,
    kind: Annotated[Text | None, Query(description="`policy.changed`, or all of `policy`.")] = None,
    trace: Annotated[Text | None, Query(description="What one request did: the id in its `X-Trace-Id`.")] = None,
    since: Annotated[Moment | None, Query(description="From this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
) -> Page[AuditEventShown]:
    """Newest first. Ids as they were recorded, also of documents that are hidden from you.

    For auditors and administrators.
    """
    wanted = AuditFilter(actor=actor, document=document, kind=kind, trace=trace, since=since, until=until)
    with platform.database.begin() as connection:
        before = None if page.after is None else _place(page.after)
        rows = audit_pages.page(connection, wanted, before=before, limit=page.fetch)
    return page.page(rows, lambda row: str(row.seq), AuditEventShown.of)


@router.post("/verify", summary="Verify the audit log", responses=problems(403, 409))
def verify(platform: PlatformDep, caller: CallerDep, seen: SeenDep, body: VerifyBody | None = None) -> AuditVerdict:
    """Every record's MAC, place and time, the head, and every exported head. For auditors and administrators.

    A chain that is right has its head exported afterwards. Takes about half a minute for a million records.
    """
    new = body is not None and body.since_last_head
    verdict = verify_log(platform.database, platform.audit.keys, platform.audit_heads, since_last_head=new)
    if verdict is None:
        raise Conflict("Another verification is running; ask again when it is done.", code="verification_running")
    platform.audit.record([AuditEvent.by(caller, "audit.verified", **verdict.recorded())])
    seen.recorded()
    return AuditVerdict.of(verdict)


def _place(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        raise RequestError("The cursor is not one that a list has given out.", code="invalid_cursor")
    return int(cursor)
