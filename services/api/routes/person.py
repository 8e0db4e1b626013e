"""`/v1/users/{user}/export` and `/erase`: what is held about a person, for it and of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata import users
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.schemas.names import Text
from services.api.schemas.person import PersonExport, PersonReceipt
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.change_events import user_changed
from services.library.person import copy_of, erase

router = APIRouter(prefix="/v1/users", tags=["people"])

TracesAfter = Annotated[Text, Query(max_length=64, description="`next_traces_after` of the export before.")]
AuditAfter = Annotated[int, Query(ge=0, le=2**62, description="`next_audit_after` of the export before.")]


@router.get("/me/export", summary="Everything that is held about you", responses=problems(403))
def export_me(
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    traces_after: TracesAfter = "",
    audit_after: AuditAfter = 0,
) -> PersonExport:
    """Answers whose sources you may not read any more are withheld, as in your conversations. Not for service accounts
    that act for you."""
    shown = _export(platform, caller, caller.user_id, traces_after, audit_after)
    seen.recorded()
    return shown


@router.get("/{user}/export", summary="Everything that is held about a person", responses=problems(403, 404))
def export_person(
    user: str,
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    traces_after: TracesAfter = "",
    audit_after: AuditAfter = 0,
) -> PersonExport:
    """An answer is included if the person and you may both read all its sources now, a question with it.

    Administrators only.
    """
    with platform.database.statement() as connection:
        user_id = users.get_user(connection, user).id
    shown = _export(platform, caller, user_id, traces_after, audit_after)
    seen.recorded()
    return shown


@router.post(
    "/{user}/erase",
    summary="Erase a person",
    response_model=PersonReceipt,
    responses=problems(403, 404, 409),
)
def erase_user(user: str, platform: PlatformDep, caller: CallerDep, write: WriteDep) -> Response:
    """Account, keys, conversations, feedback, traces, grants and golden questions, at once and for good.

    The audit log keeps the id, and documents stay. Answers a signed receipt. Administrators only; nobody erases itself.
    """

    def work(connection: Connection) -> Done:
        person = users.get_user(connection, user)
        receipt = PersonReceipt.of(erase(connection, caller, person, platform.certificates))
        erased = AuditEvent.by(caller, "person.erased", user=receipt.user_id, removed=receipt.removed)
        return Done(receipt, events=(*user_changed(caller, person, None), erased))

    return write.perform(work, before_replay=None)


def _export(platform: Platform, caller: Caller, user_id: str, traces_after: str, audit_after: int) -> PersonExport:
    with platform.database.snapshot() as connection:
        copy = copy_of(connection, caller, user_id, traces_after=traces_after, records_after=audit_after)
    exported = AuditEvent.by(
        caller, "person.exported", user=user_id, conversations=len(copy.threads), records=len(copy.records)
    )
    platform.audit.record([exported])
    return PersonExport.of(copy)
