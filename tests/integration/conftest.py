"""A platform on the test servers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kbcore.bootstrap import Platform
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.metadata.database import Database
from kbcore.settings import load_settings
from tests.embedders import bundled
from tests.integration.asking import Desk, open_desk
from tests.integration.signing_in import Office, open_office


@pytest.fixture(scope="session")
def embedder() -> BundledEmbedder:
    """The bundled model, loaded once."""
    return bundled()


@pytest.fixture
def platform(
    database: Database, postgres_url: str, redis_url: str, milvus_uri: str, embedder: BundledEmbedder, tmp_path: Path
) -> Platform:
    """A platform on the real servers with an empty database."""
    settings = load_settings(
        {
            "ZHIKU_HOME": str(tmp_path),
            "ZHIKU_DATABASE__URL": postgres_url,
            "ZHIKU_REDIS__URL": redis_url,
            "ZHIKU_MILVUS__URI": milvus_uri,
        }
    )
    platform = Platform(settings)
    platform.__dict__.update(database=database, embedding_model=embedder)  # the ones that the session already has open
    return platform


@pytest.fixture
def desk(platform: Platform) -> Iterator[Desk]:
    """People who ask, served over HTTP."""
    with open_desk(platform) as opened:
        yield opened


@pytest.fixture
def open_with(database: Database, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Offices with settings of the test's choice."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            open_office(database, (postgres_url, redis_url), tmp_path, **settings)
        )
