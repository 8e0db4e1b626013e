"""One running Zhiku with the sample company, shared by the tests that only read and add; a browser to look at it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browsing import ARGUMENTS, CHROMIUM, a_tab
from tests.e2e.product import Product, running_product


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """`zhiku up --detach --demo`: everything started, the sample company ingested, keys in `credentials.json`."""
    with running_product("--demo") as product:
        yield product


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, product: Product) -> Iterator[Page]:
    """A tab with the page of the shared product."""
    with a_tab(browser, product.url) as page:
        yield page
