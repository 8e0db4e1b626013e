"""Processes killed at random points while documents change: nothing acknowledged is lost, no reader sees a half."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.product import Product, running_product, wait_until

KILLS = int(os.environ.pop("ZHIKU_TEST_KILLS", "6"))  # taken out: Zhiku refuses to start with a setting it has not
DOCUMENTS = 4


@pytest.fixture(scope="module")
def fragile() -> Iterator[Product]:
    with running_product() as product:
        with product.client() as http:
            http.post("/v1/spaces", json={"name": "kill", "title": "kill"}).raise_for_status()
        yield product


def body(document: int, version: int) -> bytes:
    """Every passage of a version names the version: a mixture would show."""
    sections = [f"# Part {part}\n\nThe marker of document d{document} part {part} is v{version}." for part in range(3)]
    return "\n\n".join(sections).encode()


class Writer(threading.Thread):
    """Uploads new versions of a few documents and remembers which ones were acknowledged."""

    def __init__(self, product: Product, stop: threading.Event) -> None:
        super().__init__()
        self._product, self._halt = product, stop
        self.acknowledged: dict[int, tuple[str, int, int]] = {}

    def run(self) -> None:
        marker = 0
        with self._product.client() as http:
            while not self._halt.wait(0.3):
                marker += 1
                document = marker % DOCUMENTS
                try:
                    answer = http.post(
                        "/v1/documents",
                        data={"space": "kill", "external_id": f"d{document}"},
                        files={"file": (f"d{document}.md", body(document, marker))},
                    )
                except httpx.TransportError:
                    continue
                if answer.status_code == 202:
                    got = answer.json()
                    self.acknowledged[document] = (got["document_id"], got["version"], marker)


class Reader(threading.Thread):
    """Searches all the time; collects answers that mix two versions of a document or lack parts of it."""

    def __init__(self, product: Product, stop: threading.Event) -> None:
        super().__init__()
        self._product, self._halt = product, stop
        self.wrong: list[str] = []
        self.answers = 0

    def run(self) -> None:
        seen: set[str] = set()
        with self._product.client() as http:
            while not self._halt.wait(0.05):
                try:
                    answer = http.post(
                        "/v1/search", json={"query": "marker of document part", "top_k": 50, "spaces": ["kill"]}
                    )
                except httpx.TransportError:
                    continue
                if answer.status_code != 200:
                    assert answer.status_code in (500, 502, 503), answer.text
                    if answer.status_code == 500:
                        self.wrong.append(answer.text)
                    continue
                self.answers += 1
                versions: dict[str, set[int]] = {}
                for hit in answer.json()["results"]:
                    versions.setdefault(hit["document_id"], set()).add(hit["version"])
                self.wrong += [f"{document}: versions {sorted(v)}" for document, v in versions.items() if len(v) > 1]
                self.wrong += [f"{document} disappeared" for document in seen - versions.keys()]
                seen |= versions.keys()


@pytest.mark.timeout(300 + 30 * KILLS)  # a part killed again and again is restarted after longer and longer pauses
def test_nothing_acknowledged_is_lost_and_nothing_is_mixed(fragile: Product) -> None:
    stop = threading.Event()
    writer, reader = Writer(fragile, stop), Reader(fragile, stop)
    writer.start()
    reader.start()
    chance = random.Random(7)
    try:
        wait_until(lambda: reader.answers > 5 and len(writer.acknowledged) == DOCUMENTS)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 2.5))
            part = chance.choice(["worker", "worker", "milvus", "redis", "postgres", "api"])
            pid = fragile.pid(part)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda part=part, pid=pid: fragile.pid(part) != pid, timeout_s=90)
    finally:
        stop.set()
        writer.join()
        reader.join()

    assert reader.wrong == []
    assert reader.answers > 0
    with fragile.client() as http:
        for document_id, version, marker in writer.acknowledged.values():

            def settled(document_id: str = document_id, version: int = version) -> bool:
                answer = http.get(f"/v1/documents/{document_id}")
                return answer.status_code == 200 and answer.json()["version"] >= version

            wait_until(settled, timeout_s=120)
            text = http.get(f"/v1/documents/{document_id}/versions/{version}").json()["text"]
            assert f"is v{marker}." in text
