"""Which blobs versions refer to, and the lock that keeps one from being removed while it gets a new reference.

Whoever adds a version takes the blob's lock shared, and looks after that whether the bytes are still there; whoever
removes a blob takes it alone and looks after that whether any version refers to it.
"""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.tables import versions


def hold_for_use(connection: Connection, sha256: str) -> None:
    """Keep a blob from being removed until this transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_key(sha256))))


def hold_for_removal(connection: Connection, sha256s: Collection[str]) -> None:
    """Keep blobs from getting new references until this transaction ends. Waits for those who are adding one."""
    for sha256 in sorted(sha256s):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_key(sha256))))


def referred_to(connection: Connection, sha256s: Collection[str]) -> set[str]:
    """Those of these blobs that a version refers to."""
    query = sa.select(versions.c.sha256).where(versions.c.sha256 == sa.any_(sa.bindparam("wanted"))).distinct()
    return set(connection.execute(query, {"wanted": list(sha256s)}).scalars())


def _key(sha256: str) -> sa.ColumnElement[int]:
    return sa.func.hashtextextended(f"blob\n{sha256}", 0)
