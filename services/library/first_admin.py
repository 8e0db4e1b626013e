"""The first administrator of a fresh installation."""

import sqlalchemy as sa

from kbcore.domain.document import Classification
from kbcore.metadata import users
from kbcore.metadata.database import Database
from services.auth.api_keys import issue_key

_LOCK = 0x5A4846495253  # "ZHFIRS": two processes that start at once make one administrator


def create_first_admin(database: Database) -> str | None:
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
        return issue_key(connection, user_id=admin.id, name="first key").token
