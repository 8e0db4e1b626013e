"""Servers that hang, disappear or lose their data: what was received is indexed in the end, and found."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.e2e.product import Product, alive, running_product, wait_until, zhiku


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running_product() as product:
        with product.client() as http:
            http.post("/v1/spaces", json={"name": "outage", "title": "outage"}).raise_for_status()
        yield product


@contextmanager
def silent(product: Product, part: str) -> Iterator[None]:
    """The part's process stops answering, without ending."""
    process = psutil.Process(product.pid(part))
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def upload(product: Product, word: str) -> dict[str, Any]:
    """Upload a document about a word; the answer."""
    text = f"# {word}\n\nThe code word of this document is {word}.".encode()
    with product.client() as http:
        answer = http.post("/v1/documents", data={"space": "outage"}, files={"file": (f"{word}.md", text)})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


def await_found(product: Product, word: str) -> None:
    """Wait until a search finds the document about the word."""

    def found() -> bool:
        with product.client() as http:
            answer = http.post("/v1/search", json={"query": f"code word {word}", "top_k": 10})
        return answer.status_code == 200 and any(word in hit["text"] for hit in answer.json()["results"])

    wait_until(found, timeout_s=90)


def restart(product: Product) -> None:
    """`up` again on the same data."""
    started = zhiku(product.home, product.url, "up", "--detach", timeout_s=300)
    assert started.returncode == 0, started.stdout + started.stderr


def state_of(product: Product, job_id: str) -> str:
    """The job's state."""
    with product.client() as http:
        state: str = http.get(f"/v1/jobs/{job_id}").json()["state"]
    return state


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", ["redis", "milvus"])
def test_an_upload_while_a_server_hangs_is_accepted_and_indexed_later(product: Product, part: str) -> None:
    with silent(product, part):
        upload(product, f"hung{part}")
    await_found(product, f"hung{part}")


@pytest.mark.timeout(300)
def test_a_waiting_job_is_stopped_and_repeated(product: Product) -> None:
    with silent(product, "worker"), product.client() as http:
        made = upload(product, "repeated")
        assert http.post(f"/v1/jobs/{made['job_id']}/cancel").status_code == 200
    wait_until(lambda: state_of(product, made["job_id"]) == "cancelled")
    with product.client() as http:
        assert http.post(f"/v1/jobs/{made['job_id']}/retry").status_code == 202
    await_found(product, "repeated")


@pytest.mark.timeout(300)
def test_index_and_queue_lost_while_stopped_and_a_killed_supervisor(product: Product) -> None:
    upload(product, "kept")
    await_found(product, "kept")
    parts = [product.pid(part) for part in ("postgres", "redis", "milvus", "api", "worker")]
    with silent(product, "worker"):
        waiting = [upload(product, f"waiting{number}") for number in range(3)]
        os.kill(int(psutil.Process(parts[0]).ppid()), signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in parts))
    shutil.rmtree(product.home / "milvus")
    shutil.rmtree(product.home / "redis")
    restart(product)
    for word in ("kept", "waiting0", "waiting1", "waiting2"):
        await_found(product, word)
    assert all(state_of(product, made["job_id"]) == "succeeded" for made in waiting)
    with product.client() as http:
        totals = http.get("/v1/ledger").json()["totals"]
    assert totals["received"] == totals["indexed"] + totals["skipped"] + totals["failed"]
