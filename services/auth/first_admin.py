"""Keys made on the machine itself: the first administrator's, and new ones when all are lost."""

import sqlalchemy as sa

from kbcore.domain.document import Classification
from kbcore.metadata import users
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database
from services.auth.api_keys import issue_key
from services.library.change_events import key_made

_LOCK = 0x5A4846495253  # "ZHFIRS": two processes that start at once make one administrator


def create_first_admin(database: Database, audit: AuditTrail) -> str | None:
    """Make the user `admin` and return its API key, shown this once; None if there are users already."""
    with database.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if users.any_user(connection):
            return None
        admin = users.create_user(
            connection,
            name="admin",
            display_name="Administrator",
            email=None,
            clearance=Classification.RESTRICTED,
            is_admin=True,
        )
        issued = issue_key(connection, user_id=admin.id, name="first key")
        audit.append(connection, key_made(None, issued.key))
        return issued.token


def local_key(database: Database, audit: AuditTrail, user: str) -> str:
    """A new key of a user (id or name), for whoever may read the database anyway. Raises `NotFound`."""
    with database.begin() as connection:
        issued = issue_key(connection, user_id=users.get_user(connection, user).id, name="made on the machine")
        audit.append(connection, key_made(None, issued.key))
        return issued.token
