"""Re-indexing on the running product: its cost, what it does to answering, and the switch under load.

    python -m tests.benchmarks.bench_reindex [--documents 40] [--clients 16] [--switches 6]

Ingests real documents, then builds a second index with smaller passages, all of which must be embedded. Prints (1) wall
time of the re-index ÷ time to embed the same passages alone, in this process, with the same engine; (2) with 16 clients
asking all the time, promotions and rollbacks in turn: failed queries, passages of another index than the one that an
answer names, and the time of each switch; (3) the search's p50 while a further index is built ÷ before.
"""

import argparse
import statistics
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx

from kbcore.embedding.bundled import BundledEmbedder
from tests.benchmarks.bench_ingest import chunk_texts, files, ingest
from tests.e2e.product import Product, running_product

QUESTIONS = (
    "年假 结转", "劳动合同 解除", "数据 安全 评估", "发票 报销", "采购 招标",
    "travel expenses", "leave policy", "security training", "working groups", "equipment",
)  # fmt: skip


@dataclass
class Load:
    """Clients that search all the time."""

    product: Product
    stop: threading.Event = field(default_factory=threading.Event)
    times_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    places: dict[str, dict[tuple[str, str], set[tuple[str, int, int, int]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    """Index label → (question, …) → the places of passages that its answers showed."""

    def run(self, clients: int) -> list[threading.Thread]:
        """Start them."""
        threads = [threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(clients)]
        for thread in threads:
            thread.start()
        return threads

    def _ask(self, number: int) -> None:
        with self.product.client() as http:
            while not self.stop.is_set():
                question = QUESTIONS[number % len(QUESTIONS)]
                number += 1
                begun = time.perf_counter()
                answer = http.post("/v1/search", json={"query": question, "top_k": 8}, timeout=120)
                if answer.status_code != 200:
                    self.failed.append(f"{answer.status_code} {answer.text}")
                    continue
                self.times_ms.append((time.perf_counter() - begun) * 1000)
                self._keep(question, answer.json())

    def _keep(self, question: str, found: dict[str, Any]) -> None:
        places = {
            (hit["document_id"], hit["version"], hit["source"]["start"], hit["source"]["end"])
            for hit in found["results"]
        }
        self.places[found["index"]][question, "any"] |= places


def searched(product: Product, clients: int, seconds: float | None = None) -> Load:
    """A load, already ended if `seconds` are given."""
    load = Load(product)
    threads = load.run(clients)
    if seconds is not None:
        time.sleep(seconds)
        finish(load, threads)
    return load


def finish(load: Load, threads: list[threading.Thread] | None = None) -> None:
    """Stop the clients."""
    load.stop.set()
    for thread in threads or []:
        thread.join(timeout=60)


def reindex(product: Product, http: httpx.Client) -> tuple[int, float]:
    """Build with smaller passages; its id, and seconds from the job's start to its end."""
    started = (
        http.post("/v1/reindex", json={"chunking": {"max_tokens": 128, "min_tokens": 32}}).raise_for_status().json()
    )
    while (job := http.get(f"/v1/jobs/{started['job_id']}").json())["state"] not in ("succeeded", "failed"):
        time.sleep(0.2)
    assert job["state"] == "succeeded", job
    span = _moment(job["finished_at"]) - _moment(job["started_at"])
    return int(started["id"]), span


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def switches(product: Product, http: httpx.Client, new: int, clients: int, count: int) -> None:
    """Promote and roll back in turn under load."""
    before = searched(product, 4, 6.0)
    old_label = next(iter(before.places))
    load = Load(product)
    threads = load.run(clients)
    time.sleep(2)
    times: dict[str, list[float]] = {"promote": [], "rollback": []}
    for number in range(count):
        what = "promote" if number % 2 == 0 else "rollback"
        begun = time.perf_counter()
        http.post(f"/v1/reindex/{new}/{what}", timeout=120).raise_for_status()
        times[what].append(time.perf_counter() - begun)
        time.sleep(3)
    finish(load, threads)
    after = searched(product, 4, 6.0)
    stable = {**_merged(before), **{k: v for k, v in _merged(after).items() if k not in _merged(before)}}
    labels = sorted(load.places)
    mixed = len(_merged(load)[labels[0]] & _merged(load)[labels[-1]]) if len(labels) > 1 else 0
    own = {label: len(places - stable.get(label, places)) for label, places in _merged(load).items()}
    print(f"{count} switches under {clients} clients: {len(load.times_ms)} answers, {len(load.failed)} failed queries")
    print(f"  answers of {labels} (before: {old_label}); places of an index that it did not show alone: {own}")
    print(f"  places common to both indexes: {mixed} of {sum(map(len, _merged(load).values()))}")
    for what, each in times.items():
        if each:
            print(f"  {what}: {', '.join(f'{seconds:.2f}' for seconds in each)} s")


def _merged(load: Load) -> dict[str, set[tuple[str, int, int, int]]]:
    return {label: set().union(*by_question.values()) for label, by_question in load.places.items()}


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=40)
    options.add_argument("--clients", type=int, default=16)
    options.add_argument("--switches", type=int, default=6)
    chosen = options.parse_args()
    with running_product() as product, product.client() as http:
        _, documents = ingest(product, files(chosen.documents))
        idle = searched(product, 1, 8.0)
        load = Load(product)
        new, wall_loaded = reindex(product, http)
        http.post(f"/v1/reindex/{new}/promote", timeout=120).raise_for_status()
        texts = chunk_texts(http, documents)
        http.post(f"/v1/reindex/{new}/rollback", timeout=120).raise_for_status()
        embedder = BundledEmbedder()
        embedder.embed_passages(["warm up"])
        begun = time.perf_counter()
        embedder.embed_passages(texts)
        alone = time.perf_counter() - begun
        print(f"re-index of {len(documents)} documents, {len(texts)} passages: {wall_loaded:.1f} s; embedding alone "
              f"{alone:.1f} s; ratio {wall_loaded / alone:.2f}")  # fmt: skip
        switches(product, http, new, chosen.clients, chosen.switches)
        http.delete(f"/v1/indexes/{new}").raise_for_status()
        time.sleep(25)
        http.post("/v1/reindex", json={"chunking": {"max_tokens": 96, "min_tokens": 16}}).raise_for_status()
        threads = load.run(1)
        time.sleep(20)
        finish(load, threads)
        quiet, busy = statistics.median(idle.times_ms), statistics.median(load.times_ms)
        print(f"/v1/search p50 while re-indexing {busy:.1f} ms ÷ before {quiet:.1f} ms: {busy / quiet:.2f}")


if __name__ == "__main__":
    main()
