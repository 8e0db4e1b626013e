"""Permissions as SQL decides them, now: who the caller is, which policies let it read, what role it has where.

The pure rules are in `kbcore.permissions`; a property test holds this file against them.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.principal import EVERYONE, Caller
from kbcore.permissions.policy import Role
from kbcore.permissions.scope import ReadScope

IN_EFFECT = """
    (e.effective_from IS NULL OR e.effective_from <= now()) AND (e.effective_to IS NULL OR e.effective_to > now())
"""
"""The condition that a policy's entry `e` counts now."""

WHO_CTE = f"""
    memberships(group_id) AS (
        SELECT group_id FROM group_members WHERE member = 'user:' || :user_id
        UNION
        SELECT m.group_id FROM group_members m JOIN memberships g ON m.member = 'group:' || g.group_id
    ),
    asker AS (SELECT id, clearance FROM users WHERE id = :user_id AND active),
    principals(principal) AS (
        SELECT '{EVERYONE}' FROM asker
        UNION ALL SELECT 'user:' || id FROM asker
        UNION ALL SELECT 'group:' || group_id FROM memberships, asker
    )
"""
"""Who asks: common table expressions with the bind parameter `:user_id`; put them after `WITH RECURSIVE`."""

# A row of `policies` with a parent stands for its own entries and its parent's. A denial of either ends it.
PRINCIPALS_CTE = f"""
    {WHO_CTE},
    held(policy_id, rank) AS MATERIALIZED (
        SELECT e.policy_id, CASE e.role {" ".join(f"WHEN '{role.value}' THEN {role.rank}" for role in Role)} END
        FROM policy_entries e WHERE e.principal = ANY(ARRAY(SELECT principal FROM principals)) AND {IN_EFFECT}
    ),
    readable_policies(policy_id, rank) AS MATERIALIZED (
        SELECT policy_id, max(rank) FROM (
            SELECT policy_id, rank FROM held
            UNION ALL
            SELECT p.id, h.rank FROM policies p JOIN held h ON h.policy_id = p.parent_id
            WHERE p.parent_id IS NOT NULL
        ) applied
        GROUP BY policy_id HAVING bool_and(rank IS NOT NULL)
    )
"""
"""`WHO_CTE`, and the policies that let the asker read now, with the rank of its role. Resolved from the tables each
time, so a removed member, a changed policy or a grant that ran out counts at once."""

ENTITLED = """
    (COALESCE(d.own_policy_id, s.policy_id) IN (SELECT policy_id FROM readable_policies)) IS TRUE
    AND d.classification <= (SELECT clearance FROM asker)
"""
"""The condition that the asker may read document `d` of space `s` now, or could if it were still there.

What happened to a document is told to those only: that somebody's access ended must not look different from before,
whatever happens to the document afterwards."""

IN_CHARGE = "(:in_charge AND EXISTS (SELECT FROM users WHERE id = :user_id AND active AND is_admin))"
"""The condition that the asker administers now; `asker` gives its bind parameters.

A service account that acts for an administrator does not administer: `:in_charge` is what the request's caller is."""

READABLE = f"{ENTITLED} AND d.deleted_at IS NULL"
"""The condition that document `d` of space `s` may be read by the asker now."""

_CALLER = sa.text(f"""
    WITH RECURSIVE {WHO_CTE}
    SELECT u.id, u.name, u.clearance, u.is_admin, u.is_auditor, ARRAY(SELECT principal FROM principals) AS principals
    FROM users u WHERE u.id = :user_id AND u.active
""")

_SCOPE = sa.text(f"WITH RECURSIVE {PRINCIPALS_CTE} SELECT policy_id FROM readable_policies")

_RANKS = sa.text(f"""
    WITH RECURSIVE {WHO_CTE}
    SELECT e.role FROM policy_entries e JOIN principals USING (principal)
    WHERE e.policy_id IN (:policy_id, (SELECT parent_id FROM policies WHERE id = :policy_id)) AND {IN_EFFECT}
""")


def resolve_caller(connection: Connection, user_id: str, key_id: str | None = None) -> Caller | None:
    """The caller behind a user id, with all its principals; None if there is no such active user."""
    row = connection.execute(_CALLER, {"user_id": user_id}).one_or_none()
    if row is None:
        return None
    return Caller(
        user_id=row.id,
        name=row.name,
        key_id=key_id,
        principals=frozenset(row.principals),
        clearance=Classification(row.clearance),
        is_admin=row.is_admin,
        is_auditor=row.is_auditor,
    )


def asker(caller: Caller) -> dict[str, object]:
    """The bind parameters of `PRINCIPALS_CTE` and `IN_CHARGE`."""
    return {"user_id": caller.user_id, "in_charge": caller.is_admin}


def read_scope(connection: Connection, caller: Caller) -> ReadScope:
    """The policies that let this caller read now, resolved afresh."""
    ids = connection.execute(_SCOPE, {"user_id": caller.user_id}).scalars()
    return ReadScope(policy_ids=frozenset(ids), clearance=caller.clearance)


def role_under(connection: Connection, caller: Caller, policy_id: int) -> Role | None:
    """The caller's role under one policy, now; None = no access. Deny beats allow."""
    rows = connection.execute(_RANKS, {"policy_id": policy_id, "user_id": caller.user_id}).scalars().all()
    return highest(rows)


def highest(roles: Sequence[str | None]) -> Role | None:
    """The highest of the roles that somebody's entries give it; None if there is none, or one of them is a denial."""
    held = [Role(role) for role in roles if role is not None]
    return max(held, key=lambda role: role.rank, default=None) if len(held) == len(roles) else None
