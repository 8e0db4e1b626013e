"""One running Zhiku with the sample company, shared by the tests that only read and add."""

from collections.abc import Iterator

import pytest

from tests.e2e.product import Product, running_product


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """`zhiku up --detach --demo`: everything started, the sample company ingested, keys in `credentials.json`."""
    with running_product("--demo") as product:
        yield product
