"""`/scim/v2/Groups`: a directory makes, fills, renames and removes groups (RFC 7644)."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.principal import Group
from kbcore.metadata import directory
from services.api.dependencies import CallerDep, PlatformDep
from services.api.schemas.scim import Resource, group_resource, list_response
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
from services.provisioning import teams
from services.provisioning.filters import parse_filter

router = APIRouter(prefix=f"{PREFIX}/Groups", tags=["scim"], default_response_class=ScimResponse)

_Work = Callable[[Connection], tuple[Group, teams.Events]]


@router.get("", summary="SCIM: list groups", responses=scim_errors(400))
def list_groups(
    page: ScimPageDep,
    selection: SelectionDep,
    base: BaseDep,
    platform: PlatformDep,
    _caller: CallerDep,
    sought: FilterText = None,
) -> Resource:
    """Oldest first, with their direct members unless those are excluded. Administrators only."""
    conditions = [(each.attribute, each.value) for each in parse_filter(sought, directory.GROUPS)] if sought else []
    with platform.database.snapshot() as connection:
        total, found = directory.groups_like(connection, conditions, offset=page.offset, limit=page.count)
        members = directory.members_of(connection, [group.id for group in found]) if selection.shows("members") else {}
    shown = [selection.of(group_resource(group, members.get(group.id), base)) for group in found]
    return Resource(list_response(total, page.start, shown))


@router.post("", summary="SCIM: add a group", status_code=201, responses=scim_errors(400, 409))
def add_group(body: ScimBody, base: BaseDep, write: WriteDep) -> Response:
    """With its members, users and groups. Its name in policies is made from `displayName`. Administrators only."""
    return _write(write, base, lambda connection: teams.create(connection, write.caller, body), status=201)


@router.get("/{group_id}", summary="SCIM: read a group", responses=scim_errors(404))
def read_group(
    group_id: str, selection: SelectionDep, base: BaseDep, platform: PlatformDep, _caller: CallerDep
) -> Resource:
    """With its direct members, whoever put them in. Administrators only."""
    with platform.database.snapshot() as connection:
        return Resource(selection.of(_shown(connection, directory.find_group(connection, group_id), base)))


@router.put("/{group_id}", summary="SCIM: replace a group", responses=scim_errors(400, 404, 409))
def replace_group(group_id: str, body: ScimBody, base: BaseDep, write: WriteDep) -> Response:
    """Members that a person or a token has put in stay. Administrators only."""
    return _write(write, base, lambda connection: teams.replace(connection, write.caller, group_id, body))


@router.patch("/{group_id}", summary="SCIM: change a group", status_code=204, responses=scim_errors(400, 404, 409))
def patch_group(group_id: str, body: ScimBody, write: WriteDep) -> Response:
    """Answers without the group, which may be large. Members that a person or a token has put in stay.
    Administrators only."""

    def work(connection: Connection) -> Done:
        _, events = teams.patch(connection, write.caller, group_id, body)
        return Done(status=204, events=events)

    return write.perform(work, before_replay=None)


@router.delete("/{group_id}", summary="SCIM: remove a group", status_code=204, responses=scim_errors(404, 409))
def remove_group(group_id: str, write: WriteDep) -> Response:
    """Only one that no policy names: a policy that denies it would silently let its members in. Administrators only."""

    def work(connection: Connection) -> Done:
        return Done(status=204, events=teams.remove(connection, write.caller, group_id))

    return write.perform(work, before_replay=None)


def _write(write: Write, base: str, work: _Work, *, status: int = 200) -> Response:
    def done(connection: Connection) -> Done:
        group, events = work(connection)
        return Done(Resource(_shown(connection, group, base)), status=status, events=events)

    return scim_answer(write.perform(done, before_replay=None))


def _shown(connection: Connection, group: Group, base: str) -> dict[str, object]:
    return group_resource(group, directory.members_of(connection, [group.id])[group.id], base)
