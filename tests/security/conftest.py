"""One scene for all tests of a module: each call makes what it acts on."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from kbcore.metadata.database import Database
from tests.api_server import Api
from tests.security.scene import Scene


@pytest.fixture(scope="module")
def scene(served_api: tuple[str, FastAPI], migrated_database: Database) -> Iterator[Scene]:
    """People with each role, and a place."""
    url, app = served_api
    api = Api(url, app, migrated_database)
    yield Scene.set_up(api)
    api.close()
