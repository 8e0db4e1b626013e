"""Brings a database to the schema of this code (Alembic); safe to run from several processes at once."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from kbcore.metadata.database import Database
from kbcore.metadata.tables import metadata

_LOCK = 0x5A484D4947  # "ZHMIG"


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply every missing migration up to `revision`, in one transaction each; does nothing if there is none."""
    with database.lock(_LOCK), database.engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def pending_changes(connection: sa.Connection) -> list[object]:
    """What `tables.py` has and the migrations don't: empty, or a migration is missing."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
