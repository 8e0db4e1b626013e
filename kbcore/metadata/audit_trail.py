"""The audit trail as the rest of Zhiku uses it: part of a transaction, or on its own and durable on return."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.metadata.audit_log import append
from kbcore.metadata.database import Database


class AuditTrail:
    """Writes events to the chain."""

    def __init__(self, database: Database, key: ChainKey) -> None:
        self._database = database
        self.key = key

    def append(self, connection: Connection, *events: AuditEvent) -> None:
        """As part of a transaction, whose last act this must be: others wait for the head until it ends."""
        append(connection, self.key, events)

    def record(self, events: Sequence[AuditEvent]) -> None:
        """On their own; on return they are durable. Raises `AclUnavailable`: what can't be recorded isn't shown."""
        with self._database.begin() as connection:
            append(connection, self.key, events)
