"""A platform on embedded servers of its own, in a temporary folder: for scripts that run outside pytest."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kbcore.bootstrap import Platform
from kbcore.metadata.migrate import upgrade
from kbcore.settings import load_settings, silence_telemetry
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.sockets import socket_folder
from tests.servers import running


@contextmanager
def embedded_platform() -> Iterator[Platform]:
    """PostgreSQL and Milvus Lite, migrated and empty; stopped and removed when the block ends."""
    silence_telemetry()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zhiku-scratch-")))
        postgres = EmbeddedPostgres(home / "postgres", socket_folder(home), durable=False)
        milvus = EmbeddedMilvus(home / "milvus", socket_folder(home))
        stack.enter_context(running(postgres.prepare(), home / "postgres.log"))
        stack.enter_context(running(milvus.prepare(), home / "milvus.log"))
        settings = load_settings(
            {"ZHIKU_HOME": str(home), "ZHIKU_DATABASE__URL": postgres.url, "ZHIKU_MILVUS__URI": milvus.uri}
        )
        platform = Platform(settings)
        upgrade(platform.database)
        yield platform
        platform.close()
