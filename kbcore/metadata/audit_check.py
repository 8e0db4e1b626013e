"""Whether the audit log is what was written: every MAC, every place, every time, the head, and heads kept elsewhere.

What is wrong is said with one of a few words:

- `changed`: a record is not what was written, or was inserted, or stands where another one stood
- `missing`: a record in the middle is gone
- `reordered`: a record stands in another place than it was written to, or is older than the one before it
- `truncated`: the end is gone: fewer records than the head, or an exported head, says
- `head_mismatch`: the head, or an exported head, is not of this chain
- `unknown_key`: made with a key that is not known here (`[audit] former_keys`), so that nobody can say
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.audit.chain import FIRST, ChainKeys
from kbcore.audit.heads import HeadStore
from kbcore.metadata import audit_log
from kbcore.metadata.audit_log import End
from kbcore.metadata.database import Database

_AT_ONCE = 2000
_MOVED_WITHIN = 5000
"""How far after its place a moved record is looked for."""
_HEADS_AT_ONCE = 500
_START = End(0, FIRST, datetime.fromtimestamp(0, UTC))

_ROWS = sa.text("""
    SELECT seq, at, kind, actor, acting, key_id, address, trace_id, documents, detail, mac_key, mac
    FROM audit_events WHERE seq > :after ORDER BY seq LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where something is wrong."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `records` were read, `key_unknown` of them made with a key not known here; `end` is the last."""

    records: int
    first_broken: Broken | None
    heads_checked: int
    key_unknown: int
    end: End

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return self.first_broken is None

    def recorded(self) -> dict[str, Any]:
        """As an audit record and the API say it."""
        broken = self.first_broken
        return {
            "ok": self.ok,
            "records": self.records,
            "last_seq": self.end.seq,
            "first_broken": None if broken is None else {"seq": broken.seq, "why": broken.why},
            "heads_checked": self.heads_checked,
            "key_unknown": self.key_unknown,
        }


class Check:
    """One walk along the chain. Bounded memory: some thousand records at a time."""

    def __init__(self, keys: ChainKeys, after: End | None = None) -> None:
        """`after` is a verified record to start behind; None = the beginning."""
        self._keys = keys
        self._end = after or _START
        self._broken: Broken | None = None
        self._records = 0
        self._key_unknown = 0
        self._heads = 0

    def run(self, database: Database, heads: HeadStore | None) -> Verdict:
        """Walk, then compare with the head and with exported heads. Raises `Unavailable`."""
        with database.snapshot() as connection:
            stray = audit_log.first_stray(connection)
            if stray is not None:
                self._note(stray, "changed")
            if self._starts_well(connection):
                for row in _rows(connection, self._end.seq):
                    self._see(connection, row)
                self._compare_head(audit_log.end(connection))
        if heads is not None:
            self._compare_exported(database, heads)
        return Verdict(self._records, self._broken, self._heads, self._key_unknown, self._end)

    def _starts_well(self, connection: Connection) -> bool:
        """Whether the record to start behind is still there."""
        start, last = self._end, audit_log.last_seq(connection)
        if start == _START or start.mac == audit_log.mac_at(connection, [start.seq]).get(start.seq):
            return True
        self._note(min(start.seq, last + 1), "truncated" if last < start.seq else "head_mismatch")
        return False

    def _see(self, connection: Connection, row: Any) -> None:
        before, key = self._end, self._keys.of(row.mac_key)
        if row.seq != before.seq + 1:
            self._note(before.seq + 1, "missing")
        elif key is None:
            self._note(row.seq, "unknown_key")
        elif key.mac(before.mac, _content(row, row.seq)) != row.mac:
            moved = self._broken is None and self._stands_later(connection, row.seq, before.mac)
            self._note(row.seq, "reordered" if moved else "changed")
        elif row.at < before.at:
            self._note(row.seq, "reordered")
        self._key_unknown += key is None
        self._records += 1
        self._end = End(int(row.seq), bytes(row.mac), row.at.astimezone(UTC))

    def _stands_later(self, connection: Connection, seq: int, before: bytes) -> bool:
        """Whether the record that belongs to the place `seq` stands further on."""
        for _, row in zip(range(_MOVED_WITHIN), _rows(connection, seq), strict=False):
            key = self._keys.of(row.mac_key)
            if key is not None and key.mac(before, _content(row, seq)) == row.mac:
                return True
        return False

    def _compare_head(self, head: End) -> None:
        last = self._end
        if head.seq > last.seq:
            self._note(last.seq + 1, "truncated")
        elif head != last:
            self._note(min(head.seq, last.seq), "head_mismatch")

    def _compare_exported(self, database: Database, heads: HeadStore) -> None:
        """Against the log as it is now: it may have grown since it was read, and heads be exported of that."""
        batch: list[tuple[int, bytes]] = []
        for head in heads.read():
            self._heads += 1
            if head is None or not head.is_genuine(self._keys):
                self._note(0 if head is None else head.seq, "head_mismatch")
                continue
            batch.append((head.seq, head.mac))
            if len(batch) == _HEADS_AT_ONCE:
                self._compare_batch(database, batch)
                batch.clear()
        self._compare_batch(database, batch)

    def _compare_batch(self, database: Database, batch: list[tuple[int, bytes]]) -> None:
        if not batch:
            return
        with database.begin() as connection:
            present = audit_log.mac_at(connection, [seq for seq, _ in batch])
            last = audit_log.last_seq(connection)
        for seq, mac in batch:
            if seq > last:
                self._note(last + 1, "truncated")
            elif present.get(seq) != mac:
                self._note(seq, "head_mismatch" if seq in present else "missing")

    def _note(self, seq: int, why: str) -> None:
        if self._broken is None or seq < self._broken.seq:
            self._broken = Broken(int(seq), why)


def _rows(connection: Connection, after: int) -> Iterator[Any]:
    while batch := connection.execute(_ROWS, {"after": after, "limit": _AT_ONCE}).all():
        yield from batch
        after = batch[-1].seq


def _content(row: Any, seq: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "at": row.at.astimezone(UTC).isoformat(),
        "kind": row.kind,
        "actor": row.actor,
        "acting": row.acting,
        "key_id": row.key_id,
        "address": row.address,
        "trace_id": row.trace_id,
        "documents": row.documents,
        "detail": row.detail,
    }
