"""An audit log to look into and to tamper with, as somebody could who may write to the database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.audit.heads import HeadStore
from kbcore.metadata.audit_check import Check, Verdict
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database

KEY = ChainKey(b"k" * 32)


def trail(database: Database, *, former: Sequence[ChainKey] = (), key: ChainKey = KEY) -> AuditTrail:
    """A trail with a known key."""
    return AuditTrail(database, key, former)


def fill(database: Database, count: int, *, key: ChainKey = KEY) -> None:
    """Records that can be told apart, each in a transaction of its own."""
    log = trail(database, key=key)
    for number in range(count):
        log.record([AuditEvent("thing.happened", actor=f"u{number % 3}", detail={"number": number})])


def check(database: Database, *, heads: HeadStore | None = None, former: Sequence[ChainKey] = ()) -> Verdict:
    """What a verification says."""
    return Check(trail(database, former=former).keys).run(database, heads)


def said(verdict: Verdict) -> tuple[int, str] | None:
    """Where it is broken and how."""
    broken = verdict.first_broken
    return None if broken is None else (broken.seq, broken.why)


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """A transaction without the triggers that refuse changes: whoever owns the tables can take them away."""
    with database.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        yield connection


def rows(database: Database) -> list[dict[str, Any]]:
    """Every record, in order."""
    with database.begin() as connection:
        found = connection.execute(sa.text("SELECT * FROM audit_events ORDER BY seq")).mappings()
        return [dict(row) for row in found]


def kinds(database: Database) -> list[str]:
    """The kinds of all records, in order."""
    return [row["kind"] for row in rows(database)]


def restore_head(connection: Connection) -> None:
    """Let the head say what the last record says."""
    connection.execute(
        sa.text(
            "UPDATE audit_head SET (seq, mac, at) = (SELECT seq, mac, at FROM audit_events ORDER BY seq DESC LIMIT 1)"
        )
    )
