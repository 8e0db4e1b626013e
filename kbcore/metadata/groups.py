"""Groups: named sets of users and of other groups."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.domain.ids import new_id
from kbcore.domain.principal import Group, MemberSource
from kbcore.errors import Conflict, NotFound, Unprocessable
from kbcore.metadata.policies import times_used
from kbcore.metadata.tables import group_members, groups

_NESTING_LOCK = 0x5A484E4553  # "ZHNES": two writers cannot close a cycle between them

_REACHABLE = sa.text("""
    WITH RECURSIVE inside(member) AS (
        SELECT CAST(:member AS text)
        UNION
        SELECT m.member FROM group_members m JOIN inside i ON i.member = 'group:' || m.group_id
    )
    SELECT EXISTS (SELECT 1 FROM inside WHERE member = :group)
""")


def create_group(connection: Connection, *, name: str, title: str, external_id: str | None = None) -> Group:
    """Add an empty group. Raises `Conflict` (`name_taken`, `external_id_taken`)."""
    _require_free_external_id(connection, external_id)
    row = connection.execute(
        insert(groups)
        .values(id=new_id(), name=name, title=title, external_id=external_id)
        .on_conflict_do_nothing(index_elements=[groups.c.name])
        .returning(*groups.c)
    ).one_or_none()
    if row is None:
        raise Conflict(f"There is already a group named {name!r}.", code="name_taken")
    return _group(row)


def get_group(connection: Connection, id_or_name: str) -> Group:
    """The group with this id or name. Raises `NotFound("group")`."""
    row = connection.execute(
        sa.select(groups).where(sa.or_(groups.c.id == id_or_name, groups.c.name == id_or_name))
    ).one_or_none()
    if row is None:
        raise NotFound("group")
    return _group(row)


def list_groups(connection: Connection, *, after: str | None, limit: int) -> list[Group]:
    """Groups by id (oldest first), those after the id `after`."""
    query = sa.select(groups).order_by(groups.c.id).limit(limit)
    if after is not None:
        query = query.where(groups.c.id > after)
    return [_group(row) for row in connection.execute(query)]


def select_groups(connection: Connection, *conditions: sa.ColumnElement[bool], offset: int, limit: int) -> list[Group]:
    """Groups that fit all conditions on the table, by id (oldest first)."""
    query = sa.select(groups).where(*conditions).order_by(groups.c.id).offset(offset).limit(limit)
    return [_group(row) for row in connection.execute(query)]


def update_group(connection: Connection, group_id: str, values: Mapping[str, object]) -> Group:
    """Set columns of a group. Raises `Conflict` (`name_taken`, `external_id_taken`)."""
    if not values:
        return get_group(connection, group_id)
    _require_free_external_id(connection, values.get("external_id"), besides=group_id)
    taken = sa.select(groups.c.id).where(groups.c.name == values.get("name"), groups.c.id != group_id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is already a group named {values['name']!r}.", code="name_taken")
    return _group(
        connection.execute(sa.update(groups).where(groups.c.id == group_id).values(**values).returning(*groups.c)).one()
    )


def delete_group(connection: Connection, group_id: str) -> None:
    """Remove a group that no policy names. Raises `NotFound("group")`, `Conflict` (`group_in_use`).

    A policy that denies the group would otherwise silently let its members in.
    """
    get_group(connection, group_id)
    principal = f"group:{group_id}"
    if used := times_used(connection, principal):
        raise Conflict(f"{used} policies name this group; take it out of them first.", code="group_in_use")
    connection.execute(sa.delete(group_members).where(group_members.c.member == principal))
    connection.execute(sa.delete(groups).where(groups.c.id == group_id))


def list_members(connection: Connection, group_id: str) -> list[str]:
    """The direct members of a group, as principals, sorted."""
    query = sa.select(group_members.c.member).where(group_members.c.group_id == group_id)
    return sorted(connection.execute(query).scalars())


def add_members(
    connection: Connection,
    group_id: str,
    members: Collection[str],
    *,
    source: MemberSource = MemberSource.MANUAL,
) -> list[str]:
    """Add principals to a group; returns those that were not in it. Raises `Unprocessable` (`group_cycle`).

    Whom a token has put in, and a directory or a person puts in again, stays whatever later tokens say.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_NESTING_LOCK)))
    for member in sorted(member for member in members if member.startswith("group:")):
        inside = connection.execute(_REACHABLE, {"member": member, "group": f"group:{group_id}"}).scalar_one()
        if inside:
            raise Unprocessable("A group cannot contain itself, directly or through other groups.", code="group_cycle")
    if not members:
        return []
    each = sa.func.unnest(sa.bindparam("members", sorted(members), type_=ARRAY(sa.Text)))
    rows = sa.select(sa.literal(group_id), each, sa.literal(source.value))
    put = insert(group_members).from_select(["group_id", "member", "source"], rows)
    kept = put.on_conflict_do_update(
        index_elements=[group_members.c.group_id, group_members.c.member],
        set_={"source": put.excluded.source},
        where=group_members.c.source == MemberSource.OIDC,
    ).returning(group_members.c.member, sa.literal_column("xmax = 0").label("is_new"))
    return sorted(row.member for row in connection.execute(kept) if row.is_new)


def remove_member(connection: Connection, group_id: str, member: str) -> None:
    """Take a principal out of a group. Raises `NotFound("member")`."""
    gone = connection.execute(
        sa.delete(group_members).where(group_members.c.group_id == group_id, group_members.c.member == member)
    )
    if not gone.rowcount:
        raise NotFound("member")


def _require_free_external_id(connection: Connection, external_id: object, *, besides: str = "") -> None:
    taken = sa.select(groups.c.id).where(groups.c.external_id == external_id, groups.c.id != besides)
    if external_id is not None and connection.execute(taken).first() is not None:
        raise Conflict("Another group has this external_id already.", code="external_id_taken")


def _group(row: sa.Row[tuple[object, ...]]) -> Group:
    return Group(id=row.id, name=row.name, title=row.title, external_id=row.external_id, created_at=row.created_at)
