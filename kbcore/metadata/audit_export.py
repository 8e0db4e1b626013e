"""Exporting the head: what is new in the chain is verified first, so that no head is signed of a broken one."""

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.audit.chain import ChainKeys
from kbcore.audit.heads import Head, HeadStore
from kbcore.metadata.audit_check import Check, Verdict
from kbcore.metadata.audit_log import End
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_cursors

CURSOR = "exported heads"
_EXPORT_LOCK = 0x5A484145  # "ZHAE": one of all processes exports


def export_head(database: Database, keys: ChainKeys, heads: HeadStore) -> Verdict | None:
    """Verify what came since the last exported head, and export the present one if all of it is right.

    Nothing new is nothing written. None if another process is at it. Raises `Unavailable`.
    """
    with database.lock(_EXPORT_LOCK, wait=False) as connection:
        if connection is None:
            return None
        last = trusted_end(keys, heads)
        verdict = Check(keys, last).run(database, None)
        if not verdict.ok:
            return verdict
        end = verdict.end
        if end.seq > (0 if last is None else last.seq):
            heads.write(Head.signed(keys.present, end.seq, end.mac, end.at))
        with connection.begin():
            _note(connection, end.seq)
        return verdict


def trusted_end(keys: ChainKeys, heads: HeadStore) -> End | None:
    """The last exported head, if it bears a signature of ours. Raises `Unavailable`."""
    last = heads.last()
    if last is None or not last.is_genuine(keys):
        return None
    return End(last.seq, last.mac, last.at)


def _note(connection: Connection, seq: int) -> None:
    """When it was last done: monitoring looks at that."""
    said = {"seq": seq, "updated_at": sa.func.now()}
    row = insert(audit_cursors).values(name=CURSOR, **said)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=said))
