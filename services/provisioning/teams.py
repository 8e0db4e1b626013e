"""What a directory may do with groups: make, rename, fill, remove. It takes out only members that it has put in."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.domain.principal import Caller, Group, MemberSource
from kbcore.errors import Conflict
from kbcore.metadata import directory, groups, memberships
from kbcore.metadata.memberships import Moved
from services.provisioning import values
from services.provisioning.patches import Assignment, assignments, folded
from services.provisioning.refusals import invalid_value

Events = tuple[AuditEvent, ...]

_SOURCE = MemberSource.SCIM
_MOST_MEMBERS = 50_000


def create(connection: Connection, caller: Caller, body: Mapping[str, Any]) -> tuple[Group, Events]:
    """A new group, with its members. Raises `RequestError`, `Conflict` (`name_taken`, `external_id_taken`)."""
    resource = folded(body)
    title = values.line("displayName", resource.get("displayname"))
    _require_free_title(connection, title)
    group = groups.create_group(
        connection,
        name=memberships.free_name(connection, title),
        title=title,
        external_id=values.external_id(resource.get("externalid")),
    )
    members = _principals(connection, resource.get("members"))
    added = groups.add_members(connection, group.id, members, source=_SOURCE)
    made = AuditEvent.by(caller, "group.created", group=group.id, source=_SOURCE.value)
    return group, (made, *_moved(caller, group.id, Moved(tuple(added), ())))


def replace(connection: Connection, caller: Caller, group_id: str, body: Mapping[str, Any]) -> tuple[Group, Events]:
    """PUT. Without `members` they stay; an empty list takes out all that a directory has put in."""
    group = directory.find_group(connection, group_id)
    resource = folded(body)
    wanted: dict[str, object] = {"title": values.line("displayName", resource.get("displayname"))}
    if resource.get("externalid"):
        wanted["external_id"] = values.external_id(resource["externalid"])
    group = _change(connection, group, wanted)
    if "members" not in resource:
        return group, ()
    members = _principals(connection, resource["members"])
    return group, _moved(caller, group.id, memberships.set_members_of(connection, group.id, members, _SOURCE))


def patch(connection: Connection, caller: Caller, group_id: str, body: Mapping[str, Any]) -> tuple[Group, Events]:
    """PATCH. Attributes that are not kept here are passed over."""
    group = directory.find_group(connection, group_id)
    events: list[AuditEvent] = []
    for change in assignments(body):
        match change.attribute:
            case "displayname" if change.verb != "remove":
                group = _change(connection, group, {"title": values.line("displayName", change.value)})
            case "displayname":
                raise invalid_value("displayName cannot be removed.")
            case "externalid":
                value = None if change.verb == "remove" else values.external_id(change.value)
                group = _change(connection, group, {"external_id": value})
            case "members":
                events += _moved(caller, group.id, _move(connection, group.id, change))
    return group, tuple(events)


def remove(connection: Connection, caller: Caller, group_id: str) -> Events:
    """DELETE. Raises `Conflict` (`group_in_use`) while a policy names the group."""
    group = directory.find_group(connection, group_id)
    left = tuple(groups.list_members(connection, group.id))
    groups.delete_group(connection, group.id)
    gone = AuditEvent.by(caller, "group.removed", group=group.id, source=_SOURCE.value)
    return (gone, *_moved(caller, group.id, Moved((), left)))


def _move(connection: Connection, group_id: str, change: Assignment) -> Moved:
    if change.verb == "remove":
        return Moved((), memberships.take_out(connection, group_id, _leaving(change), _SOURCE))
    members = _principals(connection, change.value)
    if change.verb == "replace":
        return memberships.set_members_of(connection, group_id, members, _SOURCE)
    return Moved(tuple(groups.add_members(connection, group_id, members, source=_SOURCE)), ())


def _leaving(change: Assignment) -> list[str] | None:
    """Who goes; None = all. By a filter in the path, or, as Entra has it, by a list of members."""
    if change.conditions:
        if any(condition.attribute != "value" for condition in change.conditions):
            raise invalid_value('Choose members by members[value eq "…"].')
        ids = {str(condition.value) for condition in change.conditions}
        return [] if len(ids) > 1 else _as_principals(ids)
    return None if change.value is None else _as_principals(_ids(change.value))


def _principals(connection: Connection, sent: Any) -> list[str]:
    """The members sent, as stored. Raises `RequestError` (`invalid_value`) if one does not exist."""
    ids = _ids(sent)
    found = directory.principals_of_ids(connection, ids)
    if missing := len(ids) - len(found):
        raise invalid_value(f"{missing} of the members are no users or groups here; make them first.")
    return sorted(found)


def _ids(sent: Any) -> set[str]:
    entries = [] if sent is None else sent if isinstance(sent, list) else [sent]
    if len(entries) > _MOST_MEMBERS:
        raise invalid_value(f"At most {_MOST_MEMBERS:,} members at a time.")
    return {_id(each) for each in entries}


def _id(entry: Any) -> str:
    value = folded(entry).get("value") if isinstance(entry, Mapping) else entry
    if not isinstance(value, str):
        raise invalid_value("members must be a list of objects with the id of a user or group as value.")
    return value


def _as_principals(ids: Collection[str]) -> list[str]:
    return [f"{kind}:{each}" for each in ids for kind in ("user", "group")]


def _change(connection: Connection, group: Group, wanted: Mapping[str, object]) -> Group:
    changed = {name: value for name, value in wanted.items() if getattr(group, name) != value}
    if "title" in changed:
        _require_free_title(connection, str(changed["title"]), besides=group.id)
    return groups.update_group(connection, group.id, changed) if changed else group


def _require_free_title(connection: Connection, title: str, *, besides: str = "") -> None:
    if directory.is_titled(connection, title, besides=besides):
        raise Conflict("There is already a group with this displayName.", code="name_taken")


def _moved(caller: Caller, group_id: str, moved: Moved) -> Events:
    if not moved:
        return ()
    added, removed = list(moved.added), list(moved.removed)
    changed = AuditEvent.by(
        caller, "membership.changed", group=group_id, added=added, removed=removed, source=_SOURCE.value
    )
    return (changed,)
