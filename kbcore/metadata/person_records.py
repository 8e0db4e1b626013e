"""What SQL holds about a person beside its conversations: for the copy of its data that it may ask for."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.tables import (
    audit_events,
    documents,
    feedback,
    identities,
    policy_entries,
    spaces,
)

_GROUPS = sa.text("""
    WITH RECURSIVE m(id) AS (
        SELECT group_id FROM group_members WHERE member = :member
        UNION SELECT g.group_id FROM group_members g JOIN m ON g.member = 'group:' || m.id
    )
    SELECT g.id, g.name, d.source FROM m JOIN groups g USING (id)
    LEFT JOIN group_members d ON d.group_id = g.id AND d.member = :member ORDER BY g.name
""")


@dataclass(frozen=True, slots=True)
class Membership:
    """A group that somebody is in; `source` is who put it there, None if it is in through another group."""

    id: str
    name: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an identity provider says that somebody is."""

    issuer: str
    subject: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NamingGrant:
    """An entry of a policy that names somebody: of a space, or of a document. `role` None = denied."""

    role: str | None
    space: str | None
    document_id: str | None
    effective_from: datetime | None
    effective_to: datetime | None


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """What somebody said about an answer."""

    id: str
    trace_id: str
    rating: int
    reason: str | None
    comment: str | None
    complaint: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RecordAbout:
    """A record of the audit log of what somebody did, or what was done for it."""

    seq: int
    at: datetime
    kind: str
    acting: str | None
    key_id: str | None
    address: str | None
    trace_id: str | None
    documents: tuple[str, ...]


def memberships(connection: Connection, user_id: str) -> list[Membership]:
    """The groups of a user, direct or through others, by name."""
    return [
        Membership(row.id, row.name, row.source) for row in connection.execute(_GROUPS, {"member": f"user:{user_id}"})
    ]


def identities_of(connection: Connection, user_id: str) -> list[Identity]:
    """Who identity providers say that it is."""
    query = sa.select(identities.c.issuer, identities.c.subject, identities.c.created_at)
    rows = connection.execute(query.where(identities.c.user_id == user_id).order_by(identities.c.created_at))
    return [Identity(row.issuer, row.subject, row.created_at) for row in rows]


def grants_naming(connection: Connection, user_id: str) -> list[NamingGrant]:
    """The entries of policies in force that name the user itself."""
    entry = policy_entries.c
    shown = (entry.role, entry.effective_from, entry.effective_to)
    of_spaces = sa.select(*shown, spaces.c.name.label("space"), sa.null().label("document_id")).join(
        spaces, spaces.c.policy_id == entry.policy_id
    )
    of_documents = sa.select(*shown, sa.null().label("space"), documents.c.id.label("document_id")).join(
        documents, sa.and_(documents.c.own_policy_id == entry.policy_id, documents.c.deleted_at.is_(None))
    )
    named = entry.principal == f"user:{user_id}"
    rows = [row for query in (of_spaces, of_documents) for row in connection.execute(query.where(named))]
    return [
        NamingGrant(row.role, row.space, row.document_id, row.effective_from, row.effective_to)
        for row in sorted(rows, key=lambda row: (row.space or "", row.document_id or ""))
    ]


def feedback_of(connection: Connection, user_id: str) -> list[FeedbackGiven]:
    """What the user said about answers, oldest first."""
    query = sa.select(feedback).where(feedback.c.user_id == user_id).order_by(feedback.c.created_at, feedback.c.id)
    return [
        FeedbackGiven(row.id, row.trace_id, row.rating, row.reason, row.comment, row.complaint, row.created_at)
        for row in connection.execute(query)
    ]


def records_about(connection: Connection, user_id: str, *, after: int, limit: int) -> list[RecordAbout]:
    """At most `limit` records of what the user did, or a service account for it, from the one after `after` on."""
    event = audit_events.c
    mine = sa.or_(event.actor == user_id, event.acting == user_id)
    query = sa.select(audit_events).where(mine, event.seq > after).order_by(event.seq).limit(limit)
    return [
        RecordAbout(row.seq, row.at, row.kind, row.acting, row.key_id, row.address, row.trace_id, tuple(row.documents))
        for row in connection.execute(query)
    ]
