"""The audit log in SQL: appended to in one order, never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.errors import AuditUnavailable
from kbcore.metadata.tables import audit_events, audit_head

# One round trip between the head's lock and the commit, and one statement's text however many events there are.
_APPEND = sa.text("""
    WITH moved AS (UPDATE audit_head SET seq = :seq, mac = :mac, at = :at)
    INSERT INTO audit_events
        (seq, at, kind, actor, acting, key_id, address, trace_id, documents, detail, mac_key, mac)
    SELECT seq, at, kind, actor, acting, key_id, address, trace_id, documents, detail, mac_key, decode(mac, 'hex')
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
        seq bigint, at timestamptz, kind text, actor text, acting text, key_id text, address text, trace_id text,
        documents text[], detail jsonb, mac_key text, mac text)
""")
# The patience is set in the same statement: rows are read, and so this is evaluated, before they are locked.
_HOLD = sa.text("""
    SELECT seq, mac, at FROM audit_head
    WHERE CAST(:ms AS text) IS NULL OR set_config('lock_timeout', :ms, true) IS NOT NULL
    FOR UPDATE
""")


@dataclass(frozen=True, slots=True)
class End:
    """The last record's place in the chain (0 = none yet), its MAC and its time."""

    seq: int
    mac: bytes
    at: datetime


def append(
    connection: Connection, key: ChainKey, events: Sequence[AuditEvent], *, patience_ms: int | None = None
) -> None:
    """Chain these events to the log, in this order; they are there if and when the transaction commits.

    Holds the head until the transaction ends: call it last in a transaction, or others wait for the rest of it, and two
    that hold something else meanwhile could wait for each other. Raises `AuditUnavailable` if the head is gone, or
    not to be had within `patience_ms` (None = waits for ever); the transaction cannot go on then.
    """
    if not events:
        return
    head = _held(connection, patience_ms)
    at = max(head.at, datetime.now(UTC))  # a clock that was set back does not turn time round
    seq, mac, rows = head.seq, head.mac, []
    for event in events:
        seq += 1
        content = record(seq, at, event)
        mac = key.mac(mac, content)
        rows.append({**content, "mac_key": key.fingerprint, "mac": mac.hex()})
    connection.execute(_APPEND, {"seq": seq, "mac": mac, "at": at, "rows": json.dumps(rows, ensure_ascii=False)})


def end(connection: Connection) -> End:
    """Where the log ends. Raises `AuditUnavailable` if the head is gone."""
    return _end(connection.execute(sa.select(audit_head.c.seq, audit_head.c.mac, audit_head.c.at)).one_or_none())


def _held(connection: Connection, patience_ms: int | None) -> End:
    """The same; nobody else appends before the transaction ends."""
    try:
        row = connection.execute(_HOLD, {"ms": None if patience_ms is None else str(patience_ms)}).one_or_none()
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise AuditUnavailable("The head of the audit log is held by somebody; nothing can be recorded.") from error
        raise
    return _end(row)


def _end(row: Any) -> End:
    if row is None:
        raise AuditUnavailable("The head of the audit log is missing; nothing can be recorded.")
    return End(int(row.seq), bytes(row.mac), row.at.astimezone(UTC))


def record(seq: int, at: datetime, event: AuditEvent) -> Mapping[str, Any]:
    """What the MAC covers: every column but the MAC itself, as JSON has it."""
    return {
        "seq": seq,
        "at": at.isoformat(),
        "kind": event.kind,
        "actor": event.actor,
        "acting": event.acting,
        "key_id": event.key_id,
        "address": event.address,
        "trace_id": event.trace_id,
        "documents": list(event.documents),
        "detail": dict(event.detail),
    }


def mac_at(connection: Connection, seqs: Sequence[int]) -> dict[int, bytes]:
    """The stored MACs of these records; those that do not exist are left out."""
    query = sa.select(audit_events.c.seq, audit_events.c.mac).where(audit_events.c.seq.in_(seqs))
    return {int(row.seq): bytes(row.mac) for row in connection.execute(query)}


def first_stray(connection: Connection) -> int | None:
    """The lowest place before the first one at which somebody put a record; nothing is ever written there."""
    stray = sa.select(sa.func.min(audit_events.c.seq)).where(audit_events.c.seq < 1)
    place: int | None = connection.execute(stray).scalar_one()
    return place


def last_key(connection: Connection) -> str | None:
    """The fingerprint of the key that the last record was made with; None for an empty log."""
    last = sa.select(audit_events.c.mac_key).order_by(audit_events.c.seq.desc()).limit(1)
    return connection.execute(last).scalar()


def last_seq(connection: Connection) -> int:
    """The place of the last record that is there, whatever the head says."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(audit_events.c.seq), 0))).scalar_one())
