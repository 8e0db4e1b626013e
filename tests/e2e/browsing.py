"""What tests of the page share: the browser, signing in, asking, and documents to look at."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.product import Product, wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_MS = 20_000
BROWSER_TESTS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (apt-get install chromium)"),
]


@contextmanager
def a_tab(browser: Browser, url: str, **context_options: Any) -> Iterator[Page]:
    """A fresh tab, Chinese by its language; the page must not log an error or break its content policy."""
    options: dict[str, Any] = {"locale": "zh-CN", "viewport": {"width": 1280, "height": 800}, **context_options}
    context = browser.new_context(**options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    page.goto(url)
    yield page
    context.close()
    assert complaints == []


def _is_complaint(message: ConsoleMessage) -> bool:
    """Errors but those that the browser logs about a refused request."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


def sign_in(page: Page, key: str) -> None:
    """Enter with a key."""
    page.get_by_label("API 密钥").fill(key)
    page.get_by_role("button", name="进入").click()
    expect(page.get_by_role("heading", name="想知道什么？")).to_be_visible()


def ask(page: Page, question: str) -> None:
    """Ask, and wait for the end of the answer."""
    page.get_by_label("问题", exact=True).fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#turns .turn").last).to_have_attribute("aria-busy", "false", timeout=ANSWER_MS)


def upload(product: Product, name: str, text: str, **fields: str) -> str:
    """Upload a version of the document `name` to the space `public`, wait until it is indexed; the document's id."""
    with product.client() as client:
        form = {"space": "public", "external_id": name, "title": name, **fields}
        answer = client.post("/v1/documents", data=form, files={"file": (f"{name}.txt", text.encode())})
        assert answer.status_code == 202, answer.text
        accepted = answer.json()
        job = wait_until(lambda: _ended(client.get(f"/v1/jobs/{accepted['job_id']}").json()))
        assert job["state"] == "succeeded", job
    document_id: str = accepted["document_id"]
    return document_id


def _ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["state"] in ("succeeded", "failed", "cancelled") else None


def open_document(page: Page, name: str) -> None:
    """From anywhere, the history of the document with this title."""
    page.get_by_role("button", name="文档", exact=True).click()
    page.get_by_label("按标题查找").fill(name)
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_focused()
