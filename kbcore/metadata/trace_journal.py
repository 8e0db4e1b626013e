"""Traces with their audit records: durable before anything is shown, many requests' together in one transaction.

By itself each search would hold the head of the audit log for the length of a commit, and the others would queue there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kbcore.audit.events import AuditEvent
from kbcore.audit.group_commit import GroupCommit
from kbcore.domain.trace import Trace, TracedAnswer
from kbcore.errors import Unauthenticated, Unavailable
from kbcore.metadata import traces, usage
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database
from kbcore.metadata.usage import Use


@dataclass(slots=True)
class _Entry:
    """What one request writes; `asker_gone` is set if it was removed meanwhile, and nothing was written for it."""

    trace_row_id: str
    begun: Trace | None
    ended: TracedAnswer | None
    events: tuple[AuditEvent, ...]
    used: Use | None = None
    asker_gone: bool = False


class TraceJournal:
    """Writes traces. One for each process; safe to use from many threads."""

    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit
        self._together: GroupCommit[_Entry] = GroupCommit(self._commit, fatal=(Unavailable,))

    def begin(self, trace: Trace, *events: AuditEvent) -> None:
        """Keep a trace; on return it is durable.

        Raises `AclUnavailable`, and `Unauthenticated` if its asker was removed meanwhile.
        """
        self._write(_Entry(trace.id, trace, None, events))

    def end(
        self, trace: Trace, answer: TracedAnswer, *events: AuditEvent, begun: bool, used: Use | None = None
    ) -> None:
        """Keep how an answer ended, what it cost and, unless that was `begun`, its trace. Raises as `begin`."""
        self._write(_Entry(trace.id, None if begun else trace, answer, events, used))

    def _write(self, entry: _Entry) -> None:
        self._together.submit([entry])
        if entry.asker_gone:
            raise Unauthenticated("The caller is not known any more.")

    def _commit(self, entries: Sequence[_Entry]) -> None:
        with self._database.begin() as connection:
            for entry in entries:
                there = entry.begun is None or traces.insert(connection, entry.begun)
                if there and entry.ended is not None:
                    there = traces.complete(connection, entry.trace_row_id, entry.ended)
                entry.asker_gone = not there
            usage.add(connection, [entry.used for entry in entries if entry.used is not None and not entry.asker_gone])
            events = [event for entry in entries if not entry.asker_gone for event in entry.events]
            self._audit.append(connection, *events)
