"""A migrated database as it is after an installation."""

import sqlalchemy as sa

from kbcore.metadata.database import Database
from kbcore.metadata.tables import access_changes, audit_head, epoch, metadata


def empty(database: Database) -> None:
    """Nothing in it, at epoch 0."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with database.begin() as connection:
        connection.execute(
            sa.text("SET LOCAL session_replication_role = replica")
        )  # the audit log refuses to be emptied
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        connection.execute(epoch.insert().values(value=0))
        connection.execute(audit_head.insert().values(seq=0, mac=b""))
        connection.execute(access_changes.insert().values(relation="history", key="", row={}))
