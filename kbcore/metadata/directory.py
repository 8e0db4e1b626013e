"""People and groups as a directory sees them over SCIM: without service accounts and without whom it has removed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.domain.principal import Group, User, UserKind
from kbcore.errors import NotFound
from kbcore.metadata import groups as group_rows
from kbcore.metadata import users as user_rows
from kbcore.metadata.tables import api_keys, group_members, groups, identities, users
from kbcore.metadata.users import DEPARTED

_Sought = Callable[[Any], sa.ColumnElement[bool]]

_A_PERSON = sa.and_(users.c.kind == UserKind.PERSON, users.c.name.not_like(f"{DEPARTED}%"))


def _no_case(column: sa.ColumnElement[str]) -> _Sought:
    return lambda value: sa.func.lower(column) == sa.func.lower(str(value))


def _exactly(column: sa.ColumnElement[str]) -> _Sought:
    return lambda value: column == str(value)


def _holds(value: Any) -> sa.ColumnElement[bool]:
    named = [f"user:{value}", f"group:{value}"]
    inside = sa.select(group_members.c.group_id).where(group_members.c.member.in_(named))
    return groups.c.id.in_(inside)


PEOPLE: Mapping[str, _Sought] = {
    "id": _exactly(users.c.id),
    "username": _no_case(users.c.name),
    "externalid": _exactly(users.c.external_id),
    "displayname": _no_case(users.c.display_name),
    "emails": _no_case(users.c.email),
    "emails.value": _no_case(users.c.email),
    "active": lambda value: users.c.active.is_(str(value).lower() == "true"),
}
"""What people can be looked for by, in SCIM's words in lower case."""

GROUPS: Mapping[str, _Sought] = {
    "id": _exactly(groups.c.id),
    "displayname": _no_case(groups.c.title),
    "externalid": _exactly(groups.c.external_id),
    "members": _holds,
    "members.value": _holds,
}
"""What groups can be looked for by."""


def find_person(connection: Connection, user_id: str) -> User:
    """The person with this id. Raises `NotFound("user")`."""
    found = user_rows.select_users(connection, _A_PERSON, users.c.id == user_id, offset=0, limit=1)
    if not found:
        raise NotFound("user")
    return found[0]


def find_group(connection: Connection, group_id: str) -> Group:
    """The group with this id. Raises `NotFound("group")`."""
    found = group_rows.select_groups(connection, groups.c.id == group_id, offset=0, limit=1)
    if not found:
        raise NotFound("group")
    return found[0]


def people(
    connection: Connection, sought: Sequence[tuple[str, Any]], *, offset: int, limit: int
) -> tuple[int, list[User]]:
    """How many people fit all conditions (keys of `PEOPLE` with values), and a page of them, oldest first."""
    where = (_A_PERSON, *(PEOPLE[attribute](value) for attribute, value in sought))
    total = connection.execute(sa.select(sa.func.count()).select_from(users).where(*where)).scalar_one()
    return total, user_rows.select_users(connection, *where, offset=offset, limit=limit)


def groups_like(
    connection: Connection, sought: Sequence[tuple[str, Any]], *, offset: int, limit: int
) -> tuple[int, list[Group]]:
    """How many groups fit all conditions (keys of `GROUPS` with values), and a page of them, oldest first."""
    where = tuple(GROUPS[attribute](value) for attribute, value in sought)
    total = connection.execute(sa.select(sa.func.count()).select_from(groups).where(*where)).scalar_one()
    return total, group_rows.select_groups(connection, *where, offset=offset, limit=limit)


def members_of(connection: Connection, group_ids: Collection[str]) -> dict[str, list[str]]:
    """The direct members of groups, as principals, sorted; service accounts are left out."""
    query = (
        sa.select(group_members.c.group_id, group_members.c.member)
        .outerjoin(users, group_members.c.member == "user:" + users.c.id)
        .where(group_members.c.group_id.in_(list(group_ids)), sa.or_(users.c.id.is_(None), _A_PERSON))
        .order_by(group_members.c.member)
    )
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    for row in connection.execute(query):
        found[row.group_id].append(row.member)
    return found


def principals_of_ids(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of these ids that are people or groups, as principals."""
    listed = sa.bindparam("ids", sorted(ids), type_=ARRAY(sa.Text))  # one parameter, however many
    persons = sa.select(users.c.id).where(users.c.id == sa.any_(listed), _A_PERSON)
    teams = sa.select(groups.c.id).where(groups.c.id == sa.any_(listed))
    return {f"user:{each}" for each in connection.execute(persons).scalars()} | {
        f"group:{each}" for each in connection.execute(teams).scalars()
    }


def is_titled(connection: Connection, title: str, *, besides: str = "") -> bool:
    """True if there is a group with this title, in whatever case."""
    named = sa.select(groups.c.id).where(sa.func.lower(groups.c.title) == sa.func.lower(title), groups.c.id != besides)
    return connection.execute(named).first() is not None


def depart(connection: Connection, user: User, issuer: str) -> tuple[str, ...]:
    """Take everything from a person but the row that documents, history and the audit log name.

    Inactive, nothing but a reader's past: no keys, sessions, password, memberships, rights in spaces. The name and the
    external id are free again; whom a provider's identity still names is refused. Returns the groups that it leaves.
    Raises `Conflict` (`last_admin`).
    """
    if issuer and user.external_id:
        known = insert(identities).values(
            issuer=issuer, subject=user.external_id, user_id=user.id, issued_at=sa.func.now()
        )
        connection.execute(known.on_conflict_do_nothing())
    user_rows.update_user(
        connection,
        user.id,
        {
            "active": False,
            "is_admin": False,
            "is_auditor": False,
            "name": f"{DEPARTED}{user.id}",
            "external_id": None,
            "password_hash": None,
        },
    )
    ended = sa.update(api_keys).where(api_keys.c.user_id == user.id, api_keys.c.revoked_at.is_(None))
    connection.execute(ended.values(revoked_at=sa.func.now()))
    principal = f"user:{user.id}"
    user_rows.forget_grants(connection, principal)
    gone = sa.delete(group_members).where(group_members.c.member == principal).returning(group_members.c.group_id)
    return tuple(sorted(connection.execute(gone).scalars()))
