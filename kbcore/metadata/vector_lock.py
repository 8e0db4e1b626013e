"""The lock that keeps stored vectors from being removed while rows that need them are written.

Whoever writes rows takes it shared, and looks after that whether their vectors are still there; whoever removes vectors
takes it alone, before any row, and looks after that which of them are still needed.
"""

import sqlalchemy as sa
from sqlalchemy import Connection

_LOCK = 0x5A48564543  # "ZHVEC"


def hold_for_use(connection: Connection) -> None:
    """Keep every stored vector until this transaction ends. Waits for those who are removing some."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_LOCK)))


def hold_for_removal(connection: Connection) -> None:
    """Keep rows from coming to need vectors until this transaction ends. Waits for those who are writing some."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
