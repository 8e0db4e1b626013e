"""Verifying the whole audit log: one at a time, and by itself once in a while; SQL keeps when it was last right."""

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.audit.chain import ChainKeys
from kbcore.audit.heads import HeadStore
from kbcore.metadata.audit_check import Check, Verdict
from kbcore.metadata.audit_export import export_head, trusted_end
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_cursors

VERIFIED = "verified"
"""The cursor of the last verification of the whole log that found nothing wrong."""
_TRIED = "verification"

_VERIFY_LOCK = 0x5A484156  # "ZHAV": one verification at a time


def verify(database: Database, keys: ChainKeys, heads: HeadStore, *, since_last_head: bool = False) -> Verdict | None:
    """Walk along the log, or along what came since the last exported head; if all is right its head is exported.

    None if another verification is running. Raises `Unavailable`.
    """
    with database.lock(_VERIFY_LOCK, wait=False) as alone:
        if alone is None:
            return None
        verdict = Check(keys, trusted_end(keys, heads) if since_last_head else None).run(database, heads)
        if verdict.ok:
            export_head(database, keys, heads)
        if not since_last_head:
            with alone.begin():
                _note(alone, verdict)
        return verdict


def is_due(connection: Connection, every_hours: float) -> bool:
    """Whether the whole log has not been verified for so long, whatever was found then."""
    last = audit_cursors.c.updated_at > sa.func.now() - sa.func.make_interval(0, 0, 0, 0, 0, 0, every_hours * 3600)
    tried = sa.select(audit_cursors.c.name).where(audit_cursors.c.name == _TRIED, last)
    return connection.execute(tried).scalar() is None


def _note(connection: Connection, verdict: Verdict) -> None:
    said = {"seq": verdict.end.seq, "updated_at": sa.func.now()}
    names = [_TRIED, VERIFIED] if verdict.ok else [_TRIED]
    row = insert(audit_cursors).values([{"name": name, **said} for name in names])
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["name"], set_={"seq": row.excluded.seq, "updated_at": row.excluded.updated_at}
        )
    )
