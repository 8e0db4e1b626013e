"""Policies: one row per space, changed in place; one row per distinct document policy, immutable and shared."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.domain.principal import EVERYONE
from kbcore.metadata.tables import documents, groups, policies, policy_entries, spaces, users
from kbcore.permissions.policy import Denial, Grant, Period, Policy, Role


def create_policy(connection: Connection, policy: Policy) -> int:
    """A mutable policy row, for a space. Returns its id."""
    policy_id = int(connection.execute(sa.insert(policies).returning(policies.c.id)).scalar_one())
    _write_entries(connection, policy_id, policy)
    return policy_id


def replace_policy(connection: Connection, policy_id: int, policy: Policy) -> Policy:
    """Put other entries into a space's policy row: acts at once, and no document or vector changes.

    Returns the policy before.
    """
    connection.execute(sa.select(policies.c.id).where(policies.c.id == policy_id).with_for_update())
    before = read_policy(connection, policy_id)
    connection.execute(sa.delete(policy_entries).where(policy_entries.c.policy_id == policy_id))
    _write_entries(connection, policy_id, policy)
    return before


def intern_policy(connection: Connection, policy: Policy, *, of_space: int | None = None) -> int:
    """The id of the immutable row with exactly this policy, made if there is none: equal policies share one id.

    `of_space` is the policy row of the document's space, which counts too if the policy says so.
    """
    parent = of_space if policy.extends_space else None
    said = [parent, *sorted(_entries(policy).values(), key=lambda entry: str(entry["principal"]))]
    digest = hashlib.sha256(json.dumps(said, default=_moment).encode()).hexdigest()
    made = connection.execute(
        insert(policies).values(digest=digest, parent_id=parent).on_conflict_do_nothing().returning(policies.c.id)
    ).scalar_one_or_none()
    if made is not None:
        _write_entries(connection, made, policy)
        return int(made)
    return int(connection.execute(sa.select(policies.c.id).where(policies.c.digest == digest)).scalar_one())


def read_policy(connection: Connection, policy_id: int) -> Policy:
    """The entries of a policy row itself; an unknown row is an empty policy, which lets nobody in."""
    query = sa.select(policies.c.parent_id, policy_entries).outerjoin(policy_entries).where(policies.c.id == policy_id)
    rows = connection.execute(query).all()
    return policy_of_entries(
        [row for row in rows if row.principal is not None],
        extends_space=any(row.parent_id is not None for row in rows),
    )


def policy_of_entries(rows: Iterable[Any], *, extends_space: bool = False) -> Policy:
    """The policy that these rows of `policy_entries` make."""
    allow, deny = set(), set()
    for row in rows:
        period = Period(row.effective_from, row.effective_to)
        if row.role is None:
            deny.add(Denial(row.principal, period))
        else:
            allow.add(Grant(row.principal, Role(row.role), period))
    return Policy(frozenset(allow), frozenset(deny), extends_space)


def times_used(connection: Connection, principal: str) -> int:
    """How many policies that are in force name this principal."""
    in_force = sa.union(
        sa.select(spaces.c.policy_id),
        sa.select(documents.c.own_policy_id).where(
            documents.c.own_policy_id.is_not(None), documents.c.deleted_at.is_(None)
        ),
    )
    query = sa.select(sa.func.count()).where(
        policy_entries.c.principal == principal, policy_entries.c.policy_id.in_(in_force)
    )
    return connection.execute(query).scalar_one()


def principals_by_name(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """`user:NAME-or-ID` and `group:NAME-or-ID` to stored principals (`user:<id>`); unknown ones are left out."""
    found = {EVERYONE: EVERYONE} if EVERYONE in names else {}
    for kind, table in (("user", users), ("group", groups)):
        wanted = [name.removeprefix(f"{kind}:") for name in names if name.startswith(f"{kind}:")]
        if not wanted:
            continue
        query = sa.select(table.c.id, table.c.name).where(table.c.id.in_(wanted) | table.c.name.in_(wanted))
        for row in connection.execute(query):
            found[f"{kind}:{row.name}"] = f"{kind}:{row.id}"
            found[f"{kind}:{row.id}"] = f"{kind}:{row.id}"
    return {name: principal for name, principal in found.items() if name in names}


def names_of_principals(connection: Connection, principals: Collection[str]) -> Mapping[str, str]:
    """Stored principals to what people read (`user:li.na`); one whose user or group is gone keeps its id."""
    shown = {principal: principal for principal in principals}
    for kind, table in (("user", users), ("group", groups)):
        ids = [principal.removeprefix(f"{kind}:") for principal in principals if principal.startswith(f"{kind}:")]
        if ids:
            for row in connection.execute(sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids))):
                shown[f"{kind}:{row.id}"] = f"{kind}:{row.name}"
    return shown


def _entries(policy: Policy) -> dict[str, dict[str, object]]:
    """One entry a principal, by principal: its highest role, or none if it is denied (deny beats allow)."""
    entries: dict[str, dict[str, object]] = {}
    for grant in sorted(policy.allow, key=lambda grant: grant.role.rank):
        entries[grant.principal] = _entry(grant.principal, grant.role.value, grant.period)
    return entries | {denial.principal: _entry(denial.principal, None, denial.period) for denial in policy.deny}


def _entry(principal: str, role: str | None, period: Period) -> dict[str, object]:
    return {"principal": principal, "role": role, "effective_from": period.begins, "effective_to": period.ends}


def _moment(value: object) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).isoformat()


def _write_entries(connection: Connection, policy_id: int, policy: Policy) -> None:
    rows = [{"policy_id": policy_id, **entry} for entry in _entries(policy).values()]
    if rows:
        connection.execute(sa.insert(policy_entries), rows)
