"""The audit trail as the rest of Zhiku uses it: part of a transaction, or on its own and durable on return."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kbcore.audit.chain import ChainKey, ChainKeys
from kbcore.audit.events import AuditEvent
from kbcore.audit.group_commit import GroupCommit
from kbcore.errors import AuditUnavailable, Unavailable
from kbcore.metadata.audit_log import append, last_key
from kbcore.metadata.database import Database


class AuditTrail:
    """Writes events to the chain. One for each process; safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        key: ChainKey,
        former: Sequence[ChainKey] = (),
        *,
        patience_s: float = 10.0,
        goes_on: bool = False,
    ) -> None:
        """`former` are keys that older records were made with; the head is waited for `patience_s` at most.

        Whoever holds it may have been stopped: better 503 for everybody than an API that hangs.

        With `goes_on` nothing is written to a log whose last record was made with a key that is not known here: a
        second machine that has made a key of its own would leave records that the first one can't verify.
        """
        self._unsure = goes_on
        self._patience_ms = round(patience_s * 1000)
        self._database = database
        self.key = key
        self.keys = ChainKeys(key, former)
        self._together = GroupCommit(self._commit, fatal=(Unavailable,))

    def append(self, connection: Connection, *events: AuditEvent) -> None:
        """As part of a transaction, whose last act this must be: others wait for the head until it ends.

        Raises `AuditUnavailable` if nothing can be recorded.
        """
        if self._unsure:
            self._require_known_key(connection)
        append(connection, self.key, events, patience_ms=self._patience_ms)

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

    def _require_known_key(self, connection: Connection) -> None:
        last = last_key(connection)
        if last is not None and self.keys.of(last) is None:
            raise AuditUnavailable(
                "The audit log was written with another key: copy <home>/keys/audit.key from the machine that wrote "
                "it, or put that key into the setting audit.key (or audit.former_keys, and a new one into audit.key)."
            )
        self._unsure = False

    def _commit(self, events: Sequence[AuditEvent]) -> None:
        with self._database.begin() as connection:
            self.append(connection, *events)
