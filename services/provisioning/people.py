"""What a directory may do with people: make, change, deactivate, remove; never make anyone an administrator."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller, MemberSource, User
from kbcore.errors import Conflict, Forbidden
from kbcore.metadata import directory, users
from services.library.change_events import user_changed
from services.provisioning import values
from services.provisioning.patches import Assignment, assignments, folded, truth
from services.provisioning.refusals import invalid_value

Events = tuple[AuditEvent, ...]


def create(
    connection: Connection, caller: Caller, body: Mapping[str, Any], clearance: Classification
) -> tuple[User, Events]:
    """A new person. Raises `RequestError` (`invalid_value`), `Conflict` (`name_taken`, `external_id_taken`)."""
    resource = folded(body)
    name = values.user_name(resource.get("username"))
    _require_free_name(connection, name)
    user = users.create_user(
        connection,
        name=name,
        display_name=values.display_name(resource, name),
        email=values.email(resource.get("emails")),
        clearance=clearance,
        is_admin=False,
        external_id=values.external_id(resource.get("externalid")),
    )
    if not truth(resource.get("active", True)):
        user = users.update_user(connection, user.id, {"active": False})
    return user, user_changed(caller, None, user)


def replace(connection: Connection, caller: Caller, user_id: str, body: Mapping[str, Any]) -> tuple[User, Events]:
    """PUT. What is not sent is as a new user would have it, but `active` and `externalId`, which stay: leaving them
    out must neither let somebody in again nor cut a person's link to the directory."""
    user = _held(connection, user_id)
    resource = folded(body)
    name = values.user_name(resource.get("username"))
    wanted: dict[str, object] = {
        "name": name,
        "display_name": values.display_name(resource, name),
        "email": values.email(resource.get("emails")),
    }
    if "active" in resource:
        wanted["active"] = truth(resource["active"])
    if resource.get("externalid"):
        wanted["external_id"] = values.external_id(resource["externalid"])
    return _change(connection, caller, user, wanted)


def patch(connection: Connection, caller: Caller, user_id: str, body: Mapping[str, Any]) -> tuple[User, Events]:
    """PATCH. Attributes that are not kept here are passed over."""
    user = _held(connection, user_id)
    wanted: dict[str, object] = {}
    for each in assignments(body):
        wanted.update(_columns(each, user))
    return _change(connection, caller, user, wanted)


def remove(connection: Connection, caller: Caller, user_id: str, issuer: str) -> Events:
    """DELETE: the person may do nothing any more and is unknown to the directory; what it did stays attributed.

    `issuer` is that of `[oidc]`, whose older tokens must not make the person anew. Raises `Conflict` (`last_admin`).
    """
    user = _held(connection, user_id)
    left = directory.depart(connection, user, issuer)
    return (
        AuditEvent.by(caller, "user.departed", user=user.id, source=MemberSource.SCIM.value),
        *(_membership_ended(caller, user.id, group_id) for group_id in left),
    )


def _held(connection: Connection, user_id: str) -> User:
    """The person as it is before this change: what somebody else is changing now comes first."""
    users.hold_last_admin(connection)
    return directory.find_person(connection, user_id)


def _membership_ended(caller: Caller, user_id: str, group_id: str) -> AuditEvent:
    gone, source = [f"user:{user_id}"], MemberSource.SCIM.value
    return AuditEvent.by(caller, "membership.changed", group=group_id, added=[], removed=gone, source=source)


def _change(connection: Connection, caller: Caller, user: User, wanted: Mapping[str, object]) -> tuple[User, Events]:
    changed = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if not changed:
        return user, ()
    if "external_id" in changed and (user.is_admin or user.is_auditor):
        # Tokens are matched with it: whoever sets it says who may act as this administrator.
        raise Forbidden("Only an administrator links an administrator or auditor to a directory: PATCH /v1/users/{id}.")
    if "name" in changed:
        _require_free_name(connection, str(changed["name"]), besides=user.id)
    after = users.update_user(connection, user.id, changed)
    return after, user_changed(caller, user, after)


def _columns(change: Assignment, user: User) -> dict[str, object]:
    removed = change.verb == "remove"
    match change.attribute:
        case "active" | "username" if removed:
            raise invalid_value(f"{change.attribute} cannot be removed.")
        case "active":
            return {"active": truth(change.value)}
        case "username":
            return {"name": values.user_name(change.value)}
        case "externalid":
            return {"external_id": None if removed else values.external_id(change.value)}
        case "displayname":
            return {"display_name": user.name if removed else values.line("displayName", change.value)}
        case "emails" if change.part in (None, "value") and _of_work(change):
            return {"email": None if removed else values.email(_entries(change.value))}
    return {}


def _of_work(change: Assignment) -> bool:
    """One address is kept, the one for work: another kind is passed over."""
    return all(str(each.value).lower() == "work" for each in change.conditions if each.attribute == "type")


def _entries(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


def _require_free_name(connection: Connection, name: str, *, besides: str = "") -> None:
    if users.is_named(connection, name, besides=besides):
        raise Conflict("There is already a user of this name.", code="name_taken")
