"""Reading the audit log: newest first, narrowed, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.tables import audit_events, users


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to show; None = whatever. `kind` is a whole kind, or the part before its dot.

    `actor` is a name or an id; it finds what somebody did and what a service account did for somebody.
    """

    actor: str | None = None
    document: str | None = None
    kind: str | None = None
    trace: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record as it is stored, and the names of people who are still there."""

    seq: int
    at: datetime
    kind: str
    actor: str | None
    actor_name: str | None
    acting: str | None
    acting_name: str | None
    key_id: str | None
    address: str | None
    trace_id: str | None
    documents: Sequence[str]
    detail: Mapping[str, Any]


def page(connection: Connection, wanted: AuditFilter, *, before: int | None, limit: int) -> list[AuditRecord]:
    """Records with a smaller `seq` than `before`, the newest first."""
    actor, acting, e = users.alias("a"), users.alias("b"), audit_events.c
    query = (
        sa.select(*(column for column in e if column.name not in ("mac", "mac_key")))
        .add_columns(actor.c.name.label("actor_name"), acting.c.name.label("acting_name"))
        .select_from(audit_events.outerjoin(actor, actor.c.id == e.actor).outerjoin(acting, acting.c.id == e.acting))
        .where(*_conditions(connection, wanted))
        .order_by(e.seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(e.seq < before)
    return [AuditRecord(**row._mapping) for row in connection.execute(query)]


def _conditions(connection: Connection, wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    e = audit_events.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.actor is not None:
        known = sa.select(users.c.id).where(users.c.name == wanted.actor)
        actor = connection.execute(known).scalar() or wanted.actor  # an id stays readable when its user is gone
        found.append(sa.or_(e.actor == actor, e.acting == actor))
    if wanted.document is not None:
        found.append(e.documents.contains([wanted.document]))
    if wanted.kind is not None:
        found.append(sa.or_(e.kind == wanted.kind, e.kind.startswith(f"{wanted.kind}.", autoescape=True)))
    if wanted.trace is not None:
        found.append(e.trace_id == wanted.trace)
    # Times never go back along the chain: a moment is a place in it, found by the index on time.
    other = audit_events.alias("t").c
    if wanted.since is not None:
        first = sa.select(other.seq).where(other.at >= wanted.since).order_by(other.at, other.seq).limit(1)
        found.append(e.seq >= first.scalar_subquery())
    if wanted.until is not None:
        last = sa.select(other.seq).where(other.at < wanted.until).order_by(other.at.desc(), other.seq.desc()).limit(1)
        found.append(e.seq <= last.scalar_subquery())
    return found
