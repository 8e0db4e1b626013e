"""`/v1/groups`: sets of users and of other groups, managed by administrators."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.errors import Unprocessable
from kbcore.metadata import groups
from kbcore.metadata.policies import names_of_principals
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep, single_page
from services.api.schemas.page import Page
from services.api.schemas.people import GroupChange, GroupShown, MemberShown, NewGroup, NewMembers
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.change_events import membership_changed
from services.library.principals import resolve_principals

router = APIRouter(prefix="/v1/groups", tags=["people"])


@router.post("", summary="Add a group", status_code=201, response_model=GroupShown, responses=problems(403, 409))
def add_group(body: NewGroup, write: WriteDep) -> Response:
    """Empty at first. Administrators only."""
    return write.perform(
        lambda connection: Done(
            GroupShown.of(
                groups.create_group(
                    connection, name=body.name, title=body.title or body.name, external_id=body.external_id
                )
            ),
            status=201,
        ),
        before_replay=None,
    )


@router.get("", summary="List groups", responses=problems(400, 403))
def list_groups(page: PageDep, platform: PlatformDep) -> Page[GroupShown]:
    """Oldest first. Administrators and auditors only."""
    with platform.database.begin() as connection:
        rows = groups.list_groups(connection, after=page.after, limit=page.fetch)
    return page.page(rows, lambda group: group.id, GroupShown.of)


@router.get("/{group}", summary="Read a group", responses=problems(403, 404))
def read_group(group: str, platform: PlatformDep, _caller: CallerDep) -> GroupShown:
    """By id or name. Administrators and auditors only."""
    with platform.database.begin() as connection:
        return GroupShown.of(groups.get_group(connection, group))


@router.patch("/{group}", summary="Change a group", response_model=GroupShown, responses=problems(403, 404, 409))
def change_group(group: str, body: GroupChange, write: WriteDep) -> Response:
    """Name, title and `external_id`; policies keep naming the same group. Administrators only."""
    return write.perform(
        lambda connection: Done(
            GroupShown.of(
                groups.update_group(
                    connection, groups.get_group(connection, group).id, body.model_dump(exclude_unset=True)
                )
            )
        ),
        before_replay=None,
    )


@router.delete("/{group}", summary="Remove a group", status_code=204, responses=problems(403, 404, 409))
def remove_group(group: str, write: WriteDep) -> Response:
    """Only one that no policy names: a policy that denies it would silently let its members in. Administrators only."""

    def work(connection: Connection) -> Done:
        group_id = groups.get_group(connection, group).id
        left = groups.list_members(connection, group_id)
        groups.delete_group(connection, group_id)
        removed = AuditEvent.by(write.caller, "group.removed", group=group_id)
        return Done(status=204, events=(*membership_changed(write.caller, group_id, removed=left), removed))

    return write.perform(work, before_replay=None)


@router.get("/{group}/members", summary="List a group's members", responses=problems(403, 404))
def list_members(group: str, platform: PlatformDep, _caller: CallerDep) -> Page[MemberShown]:
    """Direct members: users and groups. Administrators and auditors only."""
    with platform.database.begin() as connection:
        return _members(connection, groups.get_group(connection, group).id)


@router.post("/{group}/members", summary="Add members", response_model=Page[MemberShown], responses=problems(403, 404))
def add_members(group: str, body: NewMembers, write: WriteDep) -> Response:
    """Acts at once. A group cannot contain itself, directly or through others. Administrators only."""

    def work(connection: Connection) -> Done:
        group_id = groups.get_group(connection, group).id
        found = set(resolve_principals(connection, body.members).values())
        if "everyone" in found:
            raise Unprocessable("everyone cannot be a member of a group.", code="unknown_principal")
        added = groups.add_members(connection, group_id, found)
        events = membership_changed(write.caller, group_id, added=added)
        return Done(_members(connection, group_id), events=events)

    return write.perform(work, before_replay=None)


@router.delete("/{group}/members/{member}", summary="Remove a member", status_code=204, responses=problems(403, 404))
def remove_member(group: str, member: str, write: WriteDep) -> Response:
    """`member` is `user:NAME-or-ID` or `group:NAME-or-ID`. Acts at once. Administrators only."""

    def work(connection: Connection) -> Done:
        group_id = groups.get_group(connection, group).id
        principal = resolve_principals(connection, [member])[member]
        groups.remove_member(connection, group_id, principal)
        return Done(status=204, events=membership_changed(write.caller, group_id, removed=[principal]))

    return write.perform(work, before_replay=None)


def _members(connection: Connection, group_id: str) -> Page[MemberShown]:
    principals = groups.list_members(connection, group_id)
    names = names_of_principals(connection, principals)
    return single_page(principals, lambda principal: MemberShown(member=names[principal], principal=principal))
