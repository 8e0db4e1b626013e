"""What decides about a person and a document: now from the tables, at a past moment from the record of their changes.

Triggers of the tables write that record (`access_changes`), in the transaction of each change, whoever makes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.errors import NotFound, Unprocessable
from kbcore.metadata.policies import policy_of_entries
from kbcore.metadata.tables import policies, policy_entries
from kbcore.permissions.explain import Guards
from kbcore.permissions.policy import Policy

_PRESENT = sa.text("""
    SELECT d.space_id, d.own_policy_id, d.classification, d.deleted_at IS NOT NULL AS deleted, s.policy_id,
        u.active, u.clearance
    FROM documents d JOIN spaces s ON s.id = d.space_id, users u WHERE d.id = :document AND u.id = :user
""")
_MEMBERSHIPS = sa.text("""
    WITH RECURSIVE around(group_id, member) AS (
        SELECT group_id, member FROM group_members WHERE member = 'user:' || :user
        UNION
        SELECT m.group_id, m.member FROM group_members m JOIN around a ON m.member = 'group:' || a.group_id
    )
    SELECT group_id, member FROM around
""")
# The last change is the one with the highest id: changes of a row wait for each other, but a clock may be set back.
_ONE = sa.text("""
    SELECT row FROM access_changes WHERE relation = :relation AND key = :key AND at <= :at
    ORDER BY id DESC LIMIT 1
""")
_MEMBERSHIPS_THEN = sa.text("""
    SELECT row->>'group_id' AS group_id, row->>'member' AS member FROM (
        SELECT DISTINCT ON (key) row FROM access_changes WHERE relation = 'group_members' AND at <= :at
        ORDER BY key, id DESC
    ) last WHERE row IS NOT NULL
""")
_ENTRIES_THEN = sa.text("""
    SELECT e.* FROM (
        SELECT DISTINCT ON (key) row FROM access_changes
        WHERE relation = 'policy_entries' AND split_part(key, E'\\n', 1) = CAST(:policy AS text) AND at <= :at
        ORDER BY key, id DESC
    ) last
    CROSS JOIN LATERAL jsonb_to_record(row) AS e(
        principal text, role text, effective_from timestamptz, effective_to timestamptz)
    WHERE row IS NOT NULL
""")
_BEGINS = sa.text("SELECT min(at) FROM access_changes")
_EVER_A_USER = sa.text("SELECT EXISTS (SELECT FROM access_changes WHERE relation = 'users' AND key = :user)")


@dataclass(frozen=True, slots=True)
class Found:
    """The guards at a moment, and which space's policy is among them."""

    guards: Guards
    space_id: str


def guards_at(connection: Connection, user_id: str, document_id: str, at: datetime | None) -> Found:
    """What decides at `at`; None = now. For a future moment: today's tables, with the entries that count then.

    Raises `NotFound` for a person or document that did not exist then, `Unprocessable` (`before_history`) for a moment
    before the record begins.
    """
    now = connection.execute(sa.select(sa.func.now())).scalar_one()
    if at is None or at >= now:
        return _present(connection, user_id, document_id, at or now)
    begins = connection.execute(_BEGINS).scalar_one()
    if at < begins:
        raise Unprocessable(
            f"What decided about access is on record from {begins.isoformat()} on.", code="before_history"
        )
    return _past(connection, user_id, document_id, at)


def ever_a_user(connection: Connection, user_id: str) -> bool:
    """True if there is, or has been, a user with this id."""
    return bool(connection.execute(_EVER_A_USER, {"user": user_id}).scalar_one())


def _present(connection: Connection, user_id: str, document_id: str, at: datetime) -> Found:
    row = connection.execute(_PRESENT, {"user": user_id, "document": document_id}).one_or_none()
    if row is None:
        raise NotFound("document")

    def policy(policy_id: int) -> Policy:
        query = sa.select(policy_entries).where(policy_entries.c.policy_id == policy_id)
        return policy_of_entries(connection.execute(query))

    memberships = connection.execute(_MEMBERSHIPS, {"user": user_id}).all()
    own = None if row.own_policy_id is None else _own(connection, row.own_policy_id, policy(row.own_policy_id))
    guards = Guards(
        at=at,
        active=row.active,
        clearance=Classification(row.clearance),
        members=_members(memberships),
        deleted=row.deleted,
        classification=Classification(row.classification),
        own=own,
        of_space=policy(row.policy_id),
    )
    return Found(guards, row.space_id)


def _past(connection: Connection, user_id: str, document_id: str, at: datetime) -> Found:
    def one(relation: str, key: str, kind: str) -> Mapping[str, Any]:
        row = connection.execute(_ONE, {"relation": relation, "key": key, "at": at}).scalar_one_or_none()
        if row is None:
            raise NotFound(kind)
        return dict(row)

    def policy(policy_id: int) -> Policy:
        return policy_of_entries(connection.execute(_ENTRIES_THEN, {"policy": policy_id, "at": at}))

    user, document = one("users", user_id, "user"), one("documents", document_id, "document")
    own_id = document["own_policy_id"]
    guards = Guards(
        at=at,
        active=user["active"],
        clearance=Classification(user["clearance"]),
        members=_members(connection.execute(_MEMBERSHIPS_THEN, {"at": at}).all()),
        deleted=document["deleted_at"] is not None,
        classification=Classification(document["classification"]),
        own=None if own_id is None else _own(connection, own_id, policy(own_id)),
        of_space=policy(one("spaces", document["space_id"], "document")["policy_id"]),
    )
    return Found(guards, document["space_id"])


def _own(connection: Connection, policy_id: int, entries: Policy) -> Policy:
    """A document's own policy; whether it extends its space's never changes."""
    parent = connection.execute(sa.select(policies.c.parent_id).where(policies.c.id == policy_id)).scalar_one_or_none()
    return Policy(entries.allow, entries.deny, extends_space=parent is not None)


def _members(rows: Sequence[Any]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for row in rows:
        members.setdefault(row.group_id, set()).add(row.member)
    return members
