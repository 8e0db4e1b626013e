"""The audit log in SQL: appended to in one order, never changed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.metadata.tables import audit_events, audit_head


def append(connection: Connection, key: ChainKey, events: Sequence[AuditEvent]) -> None:
    """Chain these events to the log, in this order; they are there if and when the transaction commits.

    Holds the head until the transaction ends: call it last in a transaction, or others wait for the rest of it.
    """
    if not events:
        return
    head = connection.execute(sa.select(audit_head.c.seq, audit_head.c.mac).with_for_update()).one()
    seq, mac = int(head.seq), bytes(head.mac)
    at = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for event in events:
        seq += 1
        record = _record(seq, at, event)
        mac = key.mac(mac, record)
        rows.append({**record, "at": at, "mac_key": key.fingerprint, "mac": mac})
    connection.execute(sa.insert(audit_events), rows)
    connection.execute(sa.update(audit_head).values(seq=seq, mac=mac))


def _record(seq: int, at: datetime, event: AuditEvent) -> Mapping[str, Any]:
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
