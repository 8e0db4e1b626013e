"""`/scim/v2/Users`: a directory makes, changes, deactivates and removes people (RFC 7644)."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.principal import User
from kbcore.metadata import directory
from services.api.dependencies import CallerDep, PlatformDep
from services.api.schemas.scim import Resource, list_response, user_resource
from services.api.scim import (
    PREFIX,
    BaseDep,
    FilterText,
    ScimBody,
    ScimPageDep,
    ScimResponse,
    SelectionDep,
    scim_answer,
    scim_errors,
)
from services.api.writes import Done, Write, WriteDep
from services.provisioning import people
from services.provisioning.filters import parse_filter

router = APIRouter(prefix=f"{PREFIX}/Users", tags=["scim"], default_response_class=ScimResponse)

_Work = Callable[[Connection], tuple[User, people.Events]]


@router.get("", summary="SCIM: list people", responses=scim_errors(400))
def list_people(
    page: ScimPageDep,
    selection: SelectionDep,
    base: BaseDep,
    platform: PlatformDep,
    _caller: CallerDep,
    sought: FilterText = None,
) -> Resource:
    """Oldest first, without service accounts. Administrators only."""
    conditions = [(each.attribute, each.value) for each in parse_filter(sought, directory.PEOPLE)] if sought else []
    with platform.database.snapshot() as connection:
        total, found = directory.people(connection, conditions, offset=page.offset, limit=page.count)
    shown = [selection.of(user_resource(user, base)) for user in found]
    return Resource(list_response(total, page.start, shown))


@router.post("", summary="SCIM: add a person", status_code=201, responses=scim_errors(400, 409))
def add_person(body: ScimBody, base: BaseDep, write: WriteDep) -> Response:
    """Cleared as `oidc.clearance` says, in no group, never an administrator. Administrators only."""
    clearance = Classification.of(write.platform.settings.oidc.clearance)
    return _write(write, base, lambda connection: people.create(connection, write.caller, body, clearance), status=201)


@router.get("/{user_id}", summary="SCIM: read a person", responses=scim_errors(404))
def read_person(
    user_id: str, selection: SelectionDep, base: BaseDep, platform: PlatformDep, _caller: CallerDep
) -> Resource:
    """One that the directory has removed is 404. Administrators only."""
    with platform.database.statement() as connection:
        return Resource(selection.of(user_resource(directory.find_person(connection, user_id), base)))


@router.put("/{user_id}", summary="SCIM: replace a person", responses=scim_errors(400, 404, 409))
def replace_person(user_id: str, body: ScimBody, base: BaseDep, write: WriteDep) -> Response:
    """`active` and `externalId` stay if they are not sent. Acts with the next request. Administrators only."""
    return _write(write, base, lambda connection: people.replace(connection, write.caller, user_id, body))


@router.patch("/{user_id}", summary="SCIM: change a person", responses=scim_errors(400, 404, 409))
def patch_person(user_id: str, body: ScimBody, base: BaseDep, write: WriteDep) -> Response:
    """`active: false` ends keys and sessions with the next request. Administrators only."""
    return _write(write, base, lambda connection: people.patch(connection, write.caller, user_id, body))


@router.delete("/{user_id}", summary="SCIM: remove a person", status_code=204, responses=scim_errors(404, 409))
def remove_person(user_id: str, write: WriteDep) -> Response:
    """Deactivated for good, without keys, memberships and rights; documents, history and the audit log keep naming
    the id. The userName is free again, for another user. Administrators only."""

    def work(connection: Connection) -> Done:
        issuer = write.platform.settings.oidc.issuer
        return Done(status=204, events=people.remove(connection, write.caller, user_id, issuer))

    return write.perform(work, before_replay=None)


def _write(write: Write, base: str, work: _Work, *, status: int = 200) -> Response:
    def done(connection: Connection) -> Done:
        user, events = work(connection)
        shown: Mapping[str, Any] = user_resource(user, base)
        return Done(Resource(dict(shown)), status=status, events=events)

    return scim_answer(write.perform(done, before_replay=None))
