"""The audit trail as the rest of Zhiku uses it: part of a transaction, or on its own and durable on return."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.audit.chain import ChainKey, ChainKeys
from kbcore.audit.events import AuditEvent
from kbcore.audit.group_commit import GroupCommit
from kbcore.errors import AuditUnavailable, Unavailable
from kbcore.metadata.audit_log import append
from kbcore.metadata.database import Database

_PATIENCE = sa.text("SELECT set_config('lock_timeout', :ms, true)")


class AuditTrail:
    """Writes events to the chain. One for each process; safe to use from many threads."""

    def __init__(
        self, database: Database, key: ChainKey, former: Sequence[ChainKey] = (), *, patience_s: float = 10.0
    ) -> None:
        """`former` are keys that older records were made with; `record` waits `patience_s` for the head at most."""
        self._patience_ms = str(round(patience_s * 1000))
        self._database = database
        self.key = key
        self.keys = ChainKeys(key, former)
        self._together = GroupCommit(self._commit)

    def append(self, connection: Connection, *events: AuditEvent) -> None:
        """As part of a transaction, whose last act this must be: others wait for the head until it ends.

        Raises `AuditUnavailable` if nothing can be recorded.
        """
        append(connection, self.key, events)

    def record(self, events: Sequence[AuditEvent]) -> None:
        """On their own; on return they are durable. Callers that come at the same time share one transaction.

        Raises `AuditUnavailable`: what can't be recorded isn't shown.
        """
        if not events:
            return
        try:
            self._together.submit(events)
        except Unavailable as error:
            raise AuditUnavailable(f"This cannot be recorded now: {error.detail}") from error

    def _commit(self, events: Sequence[AuditEvent]) -> None:
        with self._database.begin() as connection:
            # Whoever holds the head may have been stopped: better 503 for everybody than an API that hangs.
            connection.execute(_PATIENCE, {"ms": self._patience_ms})
            append(connection, self.key, events)
