"""`/v1/access`: why somebody can or cannot read a document, and what a policy would change."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.errors import NotFound
from kbcore.metadata import documents, users
from kbcore.metadata.access_history import ever_a_user, guards_at
from kbcore.metadata.policies import names_of_principals
from kbcore.permissions.explain import explain
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.schemas.access import ExplanationShown, PreviewBody, PreviewShown
from services.api.schemas.names import Moment
from services.api.schemas.problem import problems
from services.library.access import managed_space
from services.library.preview import preview_document, preview_space
from services.library.share import to_policy, to_space_policy

router = APIRouter(prefix="/v1/access", tags=["people"])


@router.get("/explain", summary="Why somebody can or cannot read a document", responses=problems(403, 404))
def explain_access(
    user: Annotated[str, Query(description="Name or id; of somebody who was removed: the id.")],
    document: Annotated[str, Query(description="The document's id; deleted ones, too.")],
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    at: Annotated[
        Moment | None,
        Query(
            description="A past moment: as everything was then. A future one: as everything is now, with the entries "
            "that count then. Default: now."
        ),
    ] = None,
) -> ExplanationShown:
    """The rule that decided, and every entry of the policy that names the person. Administrators and auditors."""
    with platform.database.begin() as connection:
        user_id = _user_id(connection, user)
        found = guards_at(connection, user_id, document, at)
        explanation = explain(user_id, found.guards)
        principals = {principal for named in explanation.named for principal in named.path}
        names = dict(names_of_principals(connection, principals))
        event = AuditEvent.by(
            caller, "access.explained", documents=(document,), user=user_id, at=_text(at), readable=explanation.readable
        )
        platform.audit.append(connection, event)
    seen.recorded()
    return ExplanationShown.of(user_id, document, found.space_id, found.guards, explanation, names)


@router.post("/preview", summary="Who would gain and who would lose by a policy", responses=problems(403, 404))
def preview_access(body: PreviewBody, platform: PlatformDep, caller: CallerDep, seen: SeenDep) -> PreviewShown:
    """Changes nothing. Counts those who could read before and could not after, or the other way round."""
    with platform.database.begin() as connection:
        if body.space is not None:
            assert body.policy is not None
            space_id = managed_space(connection, caller, body.space).space.id
            policy = to_space_policy(connection, body.policy.named())
            found = preview_space(connection, space_id, policy, limit=body.limit)
            event = AuditEvent.by(caller, "access.previewed", space=space_id)
        else:
            document = documents.get(connection, body.document or "")
            if document is None:
                raise NotFound("document")
            own = None if body.policy is None else to_policy(connection, body.policy.named())
            found = preview_document(connection, document, own, limit=body.limit)
            event = AuditEvent.by(caller, "access.previewed", documents=(document.id,))
        platform.audit.append(connection, event)
    seen.recorded()
    return PreviewShown.of(found)


def _user_id(connection: Connection, user: str) -> str:
    if ever_a_user(connection, user):
        return user
    return users.get_user(connection, user).id


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
