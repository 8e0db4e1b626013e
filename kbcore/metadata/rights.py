"""Rights once more, by other means: plain rows and the plain rules, to confront what the SQL conditions let through.

`access.READABLE` decides every search; this reads the tables whole and asks `kbcore.permissions.resolve`. A leak would
have to be in both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.metadata.policies import read_policy
from kbcore.metadata.tables import documents, group_members, spaces, users
from kbcore.permissions.policy import Policy
from kbcore.permissions.resolve import may_read, principals_of


@dataclass(frozen=True, slots=True)
class _Guarded:
    """A document's guards."""

    classification: Classification
    own: Policy | None
    of_space: Policy


@dataclass(frozen=True, slots=True)
class Rights:
    """What some people may do with some documents, at one moment. `clearances` has the active people only."""

    at: datetime
    clearances: Mapping[str, Classification]
    members: Mapping[str, frozenset[str]]
    documents: Mapping[str, _Guarded]

    def may_read(self, user_id: str, document_id: str) -> bool:
        """By the rules; nobody may read what is deleted or unknown."""
        document, clearance = self.documents.get(document_id), self.clearances.get(user_id)
        if document is None or clearance is None:
            return False
        return may_read(
            principals_of(user_id, self.members),
            clearance,
            own_policy=document.own,
            space_policy=document.of_space,
            classification=document.classification,
            at=self.at,
        )


def read_rights(connection: Connection, user_ids: Collection[str], document_ids: Collection[str]) -> Rights:
    """What these people may do with these documents, as the connection's transaction sees it."""
    people = sa.select(users.c.id, users.c.clearance).where(users.c.active, users.c.id.in_(user_ids))
    guarded = (
        sa.select(documents.c.id, documents.c.classification, documents.c.own_policy_id, spaces.c.policy_id)
        .join(spaces, spaces.c.id == documents.c.space_id)
        .where(documents.c.deleted_at.is_(None), documents.c.id.in_(document_ids))
    )
    rows = connection.execute(guarded).all()
    wanted = {row.policy_id for row in rows} | {row.own_policy_id for row in rows if row.own_policy_id is not None}
    policies = {policy_id: read_policy(connection, policy_id) for policy_id in wanted}
    members: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(group_members)):
        members.setdefault(row.group_id, set()).add(row.member)
    return Rights(
        at=connection.execute(sa.select(sa.func.now())).scalar_one(),
        clearances={row.id: Classification(row.clearance) for row in connection.execute(people)},
        members={group: frozenset(inside) for group, inside in members.items()},
        documents={
            row.id: _Guarded(
                Classification(row.classification),
                None if row.own_policy_id is None else policies[row.own_policy_id],
                policies[row.policy_id],
            )
            for row in rows
        },
    )
