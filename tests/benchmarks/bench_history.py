"""What versions cost on a large index: publishing one changed document, and asking about the past.

    python -m tests.benchmarks.bench_history [rows]

Fills one index with synthetic passages (documents of 20), then measures in one run: a new version of a document with
one changed passage (staged before; the wall time of its publication), and, in turn, `/v1/search` at present, as of an
old epoch, and of what was in force at an old date. Nothing is asserted.
"""

import random
import statistics
import sys
import time
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np

from ingestion.publish import Publisher
from kbcore.observability.logging import configure_logging
from tests.benchmarks.bench_search import WORDS, RandomPassages, fill
from tests.builders import Corpus
from tests.servers.application import serving
from tests.servers.embedded import embedded_platform

ROUNDS = 60
PUBLICATIONS = 15


def main(rows: int) -> None:
    """Fill, measure, print."""
    configure_logging("WARNING")
    chance = random.Random(1)
    with ExitStack() as stack:
        platform = stack.enter_context(embedded_platform())
        platform.__dict__["embedder"] = RandomPassages()
        corpus = Corpus.open(platform)
        token = fill(corpus, rows, chance)
        url = stack.enter_context(serving(platform))
        client = stack.enter_context(httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=120))
        publishing(corpus, rows, chance)
        platform.vectors.flush(corpus.generation.collection)
        searching(client, url, rows, chance)


def publishing(corpus: Corpus, rows: int, chance: random.Random) -> None:
    """One document of 20 passages, one of them changed, again and again."""
    paragraphs = [" ".join(chance.choices(WORDS, k=45)) + "。" for _ in range(20)]
    document = corpus.add("s1", "changing", "\n\n".join(paragraphs))
    publisher, times = Publisher(corpus.platform), []
    for number in range(PUBLICATIONS):
        paragraphs[number % 20] = " ".join(chance.choices(WORDS, k=45)) + "。"
        corpus.revise(document, "changing", "\n\n".join(paragraphs), publish=False)
        begun = time.perf_counter()
        publisher.publish_staged()
        times.append((time.perf_counter() - begun) * 1000)
    print(f"publishing one changed document of 20 passages into {rows} rows: {spread(times)}")


def searching(client: httpx.Client, url: str, rows: int, chance: random.Random) -> None:
    """The same questions at present, at an epoch and at a time, in turn."""
    epoch = client.post(f"{url}/v1/search", json={"query": "年假"}).raise_for_status().json()["epoch"]
    pasts: dict[str, dict[str, Any]] = {
        "present": {},
        "as_of epoch": {"as_of": f"epoch:{epoch - PUBLICATIONS // 2}"},
        "effective_at": {"effective_at": "2024-01-01T00:00:00Z"},
    }
    times: dict[str, list[float]] = {name: [] for name in pasts}
    for number in range(ROUNDS + 5):
        question = " ".join(chance.sample(WORDS, 5))
        for name, past in pasts.items():
            begun = time.perf_counter()
            client.post(f"{url}/v1/search", json={"query": question, **past}).raise_for_status()
            if number >= 5:
                times[name].append((time.perf_counter() - begun) * 1000)
    for name, each in times.items():
        ratio = statistics.median(each) / statistics.median(times["present"])
        print(f"/v1/search {name:13} {spread(each)}   ÷ present {ratio:.2f}   {rows} rows")


def spread(times: list[float]) -> str:
    """Median and 95th percentile."""
    return f"p50 {statistics.median(times):7.1f} ms   p95 {np.percentile(times, 95):7.1f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
