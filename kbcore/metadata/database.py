"""The connection to PostgreSQL: one transaction for each request or task."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kbcore.errors import AclUnavailable, ConfigurationError

PUBLISH_LOCK = 0x5A48494B55
"""The advisory lock that serialises publications ("ZHIKU")."""

# A holder of the publish lock whose machine vanished must lose it within a minute, not after TCP's two hours.
# Every statement is planned for its own values: with a plan for any values a page of documents took 2.6 s where 1,000
# policies are, and 23 s with 10,000, instead of 10 ms (docs/benchmarks.md). Compiling such short statements costs more
# than it saves.
_OPTIONS = (
    "-c timezone=utc -c plan_cache_mode=force_custom_plan -c jit=off"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)

_GONE = (OperationalError, InterfaceError, PoolTimeout)


class Database:
    """A pool of connections. Opens none before the first use.

    Losing SQL raises `AclUnavailable`: permissions live here, so without it nothing can be shown.
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise ConfigurationError("setting database.url: only postgresql:// is supported")
        address = f"postgresql+psycopg://{rest}"
        self._engine = sa.create_engine(
            address,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            hide_parameters=True,  # an error's text must not carry what people wrote into the logs
            connect_args={"connect_timeout": 5, "options": _OPTIONS},
        )
        # Connections that stay in autocommit: switching one costs more round trips than a search's statement.
        self._reading = sa.create_engine(
            address,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 5, "options": f"{_OPTIONS} -c default_transaction_read_only=on"},
        )

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A read-write transaction: committed when the block ends, rolled back when it raises."""
        with _answering(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For one read-only statement, in one round trip: a statement sees one state by itself. Two may see two."""
        with _answering(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction in which every query sees the same state."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _answering(), self._engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def lock(self, key: int, *, wait: bool = True) -> Iterator[Connection | None]:
        """Hold a session advisory lock for the block; yields the connection that holds it, or None if it was not got.

        Transactions that must not outlive the lock run on that connection (`with connection.begin(): …`): PostgreSQL
        frees the lock exactly when the connection dies, so a holder that lost it cannot commit any more.
        """
        take = sa.func.pg_advisory_lock if wait else sa.func.pg_try_advisory_lock
        with _answering(), self._engine.connect() as connection:
            with connection.begin():
                answer = connection.execute(sa.select(take(key))).scalar()
            if answer is False:
                yield None
                return
            try:
                yield connection
            finally:
                _unlock(connection, key)

    def ping(self) -> None:
        """Return if PostgreSQL answers, raise `AclUnavailable` if not."""
        with self.begin() as connection:
            connection.execute(sa.select(1))

    def dispose(self) -> None:
        """Close all idle connections."""
        self._engine.dispose()
        self._reading.dispose()

    @property
    def engine(self) -> sa.Engine:
        """For migrations only."""
        return self._engine


def _unlock(connection: Connection, key: int) -> None:
    if connection.invalidated:
        return
    if connection.in_transaction():
        connection.rollback()
    with connection.begin():
        connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


@contextmanager
def _answering() -> Iterator[None]:
    """Raise `AclUnavailable` for what means that PostgreSQL is not there, or is a standby since it was written to."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DBAPIError) else None
        if not isinstance(error, _GONE) and not isinstance(cause, ReadOnlySqlTransaction):
            raise
        kind = type(cause or error).__name__
        raise AclUnavailable(f"PostgreSQL does not answer ({kind}); permissions cannot be evaluated") from error
