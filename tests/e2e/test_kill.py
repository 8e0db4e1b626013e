"""Processes killed at random points while documents and the index change.

Nothing acknowledged is lost, no reader sees two versions, none or a half, and the past reads as it was recorded.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.e2e.consistency import DOCUMENTS, SPACE, Administrator, Historian, Reader, Record, Writer, body
from tests.e2e.product import Product, running_product, wait_until

KILLS = int(os.environ.pop("ZHIKU_TEST_KILLS", "6"))  # taken out: Zhiku refuses to start with a setting it has not
PARTS_TO_KILL = ("worker", "worker", "milvus", "redis", "postgres", "api")


@pytest.fixture(scope="module")
def fragile() -> Iterator[Product]:
    with running_product() as product:
        with product.client() as http:
            http.post("/v1/spaces", json={"name": SPACE, "title": SPACE}).raise_for_status()
        yield product


@pytest.mark.timeout(300 + 40 * KILLS)  # a part killed again and again is restarted after longer and longer pauses
def test_no_reader_sees_a_mixture_and_nothing_acknowledged_is_lost(fragile: Product) -> None:
    record, stop = Record(), threading.Event()
    kinds = (Writer, Reader, Reader, Historian, Administrator)
    actors = [kind(fragile, record, stop, seed) for seed, kind in enumerate(kinds)]
    for actor in actors:
        actor.start()
    chance = random.Random(7)
    try:
        wait_until(lambda: record.counts["answers"] > 5 and len(record.kept) == DOCUMENTS)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 2.5))
            part = chance.choice(PARTS_TO_KILL)
            pid = fragile.pid(part)
            os.kill(pid, signal.SIGKILL)
            record.counts[f"kills of {part}"] += 1
            wait_until(lambda part=part, pid=pid: fragile.pid(part) != pid, timeout_s=90)
            assert record.wrong == []
        wait_until(lambda: record.counts["promotions"] > 0, timeout_s=120)
    finally:
        stop.set()
        for actor in actors:
            actor.join(timeout=60)
        print(dict(sorted(record.counts.items())))
        print("\n".join(record.wrong[:6]))
    assert record.wrong == []
    _everything_acknowledged_is_there(fragile, record)
    _the_past_reads_as_recorded(fragile, record)
    assert record.wrong == []


def _everything_acknowledged_is_there(fragile: Product, record: Record) -> None:
    with fragile.client() as http:

        def settled() -> bool:
            ledger = http.get("/v1/ledger", params={"space": SPACE})
            return ledger.status_code == 200 and not ledger.json()["totals"]["pending"]

        wait_until(settled, timeout_s=180 + 5 * KILLS)
        indexed: dict[str, int] = {}
        for (document, version), marker in record.acknowledged.items():
            if document not in record.kept:
                continue
            shown = http.get(f"/v1/documents/{document}/versions/{version}").raise_for_status().json()
            reason = (shown["reason"] or {}).get("code")
            # A job whose worker died three times ends as failed, and says so; it can be repeated.
            assert shown["state"] == "indexed" or reason in ("superseded", "worker_lost"), shown
            if shown["state"] == "indexed":
                indexed[document] = max(version, indexed.get(document, 0))
            expected = body(record.kept[document], marker).decode().replace("# ", "")
            assert shown["text"] is None or shown["text"] == expected
        for document, version in indexed.items():
            assert http.get(f"/v1/documents/{document}").json()["version"] == version


def _the_past_reads_as_recorded(fragile: Product, record: Record) -> None:
    historian = Historian(fragile, record, threading.Event(), 0)
    chance = random.Random(3)
    with fragile.client() as http:
        for epoch in chance.sample(sorted(record.at_epoch), min(60, len(record.at_epoch))):
            historian.compare(http, f"epoch:{epoch}", record.at_epoch[epoch])
        for moment, reading in chance.sample(record.at_time, min(60, len(record.at_time))):
            historian.compare(http, moment.isoformat(), reading)
