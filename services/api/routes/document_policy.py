"""`/v1/documents/{id}/policy`: a document's own policy, or its space's."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.document import Document
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound
from kbcore.metadata import documents
from services.api.dependencies import CallerDep, PlatformDep
from services.api.if_match import IfMatchDep
from services.api.schemas.problem import problems
from services.api.schemas.spaces import PolicyBody, PolicyShown
from services.api.writes import Done, WriteDep
from services.library.access import managed_document
from services.library.change import change_document
from services.library.share import own_policy_changed, own_policy_id, policy_of, to_policy

router = APIRouter(prefix="/v1/documents/{document_id}/policy", tags=["documents"])


@router.get("", summary="Read a document's policy", responses=problems(403, 404))
def read_policy(document_id: str, platform: PlatformDep, caller: CallerDep) -> PolicyShown:
    """The one in force, its own or its space's. For its managers and administrators."""
    with platform.database.begin() as connection:
        return _shown(connection, managed_document(connection, caller, document_id))


@router.put(
    "",
    summary="Give a document its own policy",
    response_model=PolicyShown,
    responses=problems(400, 403, 404, 412),
)
def set_policy(
    document_id: str, body: PolicyBody, write: WriteDep, caller: CallerDep, if_match: IfMatchDep
) -> Response:
    """In place of its space's, at once; its index rows follow in a job. For its managers and administrators."""

    def work(connection: Connection) -> Done:
        document = managed_document(connection, caller, document_id, if_match=if_match)
        own = own_policy_id(connection, to_policy(connection, body.named()), document)
        return _changed(connection, caller, document, own)

    return write.perform(work, before_replay=lambda connection, _: managed_document(connection, caller, document_id))


@router.delete(
    "",
    summary="Let a document inherit its space's policy again",
    response_model=PolicyShown,
    responses=problems(400, 403, 404, 412),
)
def inherit(document_id: str, write: WriteDep, caller: CallerDep, if_match: IfMatchDep) -> Response:
    """Answers the policy that is in force now. For its managers and administrators."""

    def work(connection: Connection) -> Done:
        document = managed_document(connection, caller, document_id, if_match=if_match)
        return _changed(connection, caller, document, None)

    return write.perform(work, before_replay=lambda connection, _: managed_document(connection, caller, document_id))


def _changed(connection: Connection, caller: Caller, document: Document, own: int | None) -> Done:
    restamp = next(iter(change_document(connection, caller, document, {"own_policy_id": own}).jobs), None)
    present = documents.get(connection, document.id)
    if present is None:
        raise NotFound("document")
    event = own_policy_changed(connection, caller, document, own)
    return Done(_shown(connection, present, restamp), jobs=() if restamp is None else (restamp,), events=event)


def _shown(connection: Connection, document: Document, job_id: str | None = None) -> PolicyShown:
    named = policy_of(connection, document.policy_id)
    return PolicyShown.of(named, inherited=document.own_policy_id is None, job_id=job_id)
