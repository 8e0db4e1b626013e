"""Memberships that a directory or a token decides: made equal to what it says, without touching those of others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.domain.names import fitted_name
from kbcore.domain.principal import MemberSource
from kbcore.metadata.groups import add_members, create_group
from kbcore.metadata.tables import group_members, groups


@dataclass(frozen=True, slots=True)
class Moved:
    """What came in and what went out: groups of a member, or members of a group. Sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def set_groups_of(connection: Connection, user: str, group_ids: Collection[str], source: MemberSource) -> Moved:
    """Let this user (`user:<id>`) be in exactly these groups as far as `source` decides. Returns groups' ids."""
    gone = sa.delete(group_members).where(
        group_members.c.member == user,
        group_members.c.source == source,
        group_members.c.group_id != sa.all_(_array(group_ids)),
    )
    removed = connection.execute(gone.returning(group_members.c.group_id)).scalars().all()
    added: list[str] = []
    if group_ids:
        rows = sa.select(sa.func.unnest(_array(group_ids)), sa.literal(user), sa.literal(source.value))
        into = insert(group_members).from_select(["group_id", "member", "source"], rows)
        put = into.on_conflict_do_nothing().returning(group_members.c.group_id)
        added = list(connection.execute(put).scalars())
    return Moved(tuple(sorted(added)), tuple(sorted(removed)))


def set_members_of(connection: Connection, group_id: str, members: Collection[str], source: MemberSource) -> Moved:
    """Let exactly these principals be in this group as far as `source` decides. Raises like `add_members`."""
    removed = _take_out(connection, group_id, group_members.c.member != sa.all_(_array(members)), source)
    return Moved(tuple(add_members(connection, group_id, members, source=source)), removed)


def take_out(
    connection: Connection, group_id: str, members: Collection[str] | None, source: MemberSource
) -> tuple[str, ...]:
    """Take these principals (None: all) out of this group, if `source` had put them there. Returns who went."""
    chosen = sa.true() if members is None else group_members.c.member == sa.any_(_array(members))
    return _take_out(connection, group_id, chosen, source)


def groups_of_external_ids(
    connection: Connection, external_ids: Collection[str], *, create: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Groups' ids by external id, and the ids of those that were made for it. Unknown ones are left out, or made.

    Never by name: a foreign group that is called like one of ours is another group.
    """
    found = _known(connection, external_ids)
    missing = sorted(set(external_ids) - set(found)) if create else []
    for external_id in missing:
        # Two that see the same new group make it one after the other.
        key = sa.func.hashtextextended(sa.func.concat("group\n", external_id), 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
    found.update(_known(connection, missing))
    made = {
        external_id: create_group(
            connection, name=free_name(connection, external_id), title=external_id[:500], external_id=external_id
        ).id
        for external_id in missing
        if external_id not in found
    }
    return {**found, **made}, tuple(sorted(made.values()))


def free_name(connection: Connection, foreign: str) -> str:
    """A name for a new group like what another system calls it, with a number if that is taken."""
    name = fitted_name(foreign.removeprefix("/"), otherwise="group")
    like = sa.select(groups.c.name).where(groups.c.name.startswith(name, autoescape=True))
    taken = set(connection.execute(like).scalars())
    number = 2
    candidate = name
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _known(connection: Connection, external_ids: Collection[str]) -> dict[str, str]:
    query = sa.select(groups.c.external_id, groups.c.id).where(groups.c.external_id == sa.any_(_array(external_ids)))
    known: Mapping[str, str] = {str(row.external_id): row.id for row in connection.execute(query)}
    return dict(known)


def _take_out(
    connection: Connection, group_id: str, chosen: sa.ColumnElement[bool], source: MemberSource
) -> tuple[str, ...]:
    gone = sa.delete(group_members).where(
        group_members.c.group_id == group_id, group_members.c.source == source, chosen
    )
    return tuple(sorted(connection.execute(gone.returning(group_members.c.member)).scalars()))


def _array(values: Collection[str]) -> sa.BindParameter[Any]:
    """One parameter however many there are: PostgreSQL takes 65,535 at most."""
    kind: Any = ARRAY(sa.Text)
    return sa.bindparam(None, sorted(values), type_=kind)
