"""Fixtures that many tests share. Servers start when a test first asks for one and stop with the session."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from kbcore.observability.logging import configure_logging
from kbcore.settings import silence_telemetry
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.redis import EmbeddedRedis
from services.supervisor.sockets import socket_folder
from tests.servers import running
from tests.servers.emptied import empty

silence_telemetry()
configure_logging("WARNING")  # as in production: no local variables in logged errors

pytest_plugins = ["tests.api_server"]


@pytest.fixture(scope="session")
def servers_home() -> Iterator[Path]:
    """The data folder of the test servers; not pytest's own temporary folder, which other users can't enter."""
    home = Path(tempfile.mkdtemp(prefix="zhiku-test-"))
    yield home
    shutil.rmtree(socket_folder(home), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(servers_home: Path) -> Iterator[str]:
    """A real PostgreSQL."""
    server = EmbeddedPostgres(servers_home / "postgres", socket_folder(servers_home), durable=False)
    with running(server.prepare(), servers_home / "postgres.log"):
        yield server.url


@pytest.fixture(scope="session")
def redis_url(servers_home: Path) -> Iterator[str]:
    """A real Redis, as a broker address for Celery."""
    server = EmbeddedRedis(servers_home / "redis", socket_folder(servers_home))
    with running(server.prepare(), servers_home / "redis.log"):
        yield server.url


@pytest.fixture(scope="session")
def milvus_uri(servers_home: Path) -> Iterator[str]:
    """A Milvus Lite server; every test uses a collection prefix of its own."""
    server = EmbeddedMilvus(servers_home / "milvus", socket_folder(servers_home))
    with running(server.prepare(), servers_home / "milvus.log"):
        yield server.uri


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> Iterator[Database]:
    """The migrated database itself; tests ask for `database`."""
    database = Database(postgres_url)
    upgrade(database)
    yield database
    database.dispose()


@pytest.fixture
def database(migrated_database: Database) -> Database:
    """An empty, migrated database at epoch 0."""
    empty(migrated_database)
    return migrated_database


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared corpora: `ZHIKU_DATA`, or `data` beside the project in `shared`."""
    folder = Path(os.environ.get("ZHIKU_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the shared corpora are not here (set ZHIKU_DATA)")
    return folder
