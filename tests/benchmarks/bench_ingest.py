"""Ingestion: wall time of a folder through the running product ÷ time to embed the same chunks alone.

    python -m tests.benchmarks.bench_ingest [--documents 60]

Uploads real documents (Chinese laws and an English handbook) one request each, waits until every job has ended, then
embeds the same texts in this process with the same engine and threads. Prints both times and their ratio.
"""

import argparse
import os
import time
from pathlib import Path

import httpx

from kbcore.embedding.bundled import BundledEmbedder
from tests.e2e.product import Product, running_product

CORPORA = Path(os.environ.get("ZHIKU_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "corpora"


def files(count: int) -> list[Path]:
    """Half Chinese laws, half English handbook pages, always the same ones."""
    zh = sorted((CORPORA / "laws_zh_by_department").rglob("*.md"))
    en = sorted((CORPORA / "handbook_18f" / "pages").rglob("*.md"))
    return zh[: count // 2] + en[: count - count // 2]


def ingest(product: Product, paths: list[Path]) -> tuple[float, list[str]]:
    """Seconds from the first upload to the last job's end, and the document ids."""
    with product.client() as http:
        http.post("/v1/spaces", json={"name": "bench", "title": "bench"}).raise_for_status()
        began = time.perf_counter()
        documents = []
        for path in paths:
            with path.open("rb") as file:
                answer = http.post("/v1/documents", data={"space": "bench"}, files={"file": (path.name, file)})
            answer.raise_for_status()
            documents.append(answer.json()["document_id"])
        while http.get("/v1/ledger", params={"space": "bench"}).json()["totals"]["pending"]:
            time.sleep(0.2)
        return time.perf_counter() - began, documents


def chunk_texts(http: httpx.Client, documents: list[str]) -> list[str]:
    """What was embedded: heading path and text of every chunk."""
    texts = []
    for document_id in documents:
        document = http.get(f"/v1/documents/{document_id}").json()
        cursor = None
        while True:
            params = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            page = http.get(f"/v1/documents/{document_id}/versions/{document['version']}/chunks", params=params).json()
            texts += [
                " > ".join([document["title"], *chunk["heading"]]) + "\n" + chunk["text"] for chunk in page["items"]
            ]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    return texts


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--documents", type=int, default=60)
    paths = files(options.parse_args().documents)
    with running_product() as product:
        wall, documents = ingest(product, paths)
        with product.client() as http:
            texts = chunk_texts(http, documents)
    embedder = BundledEmbedder()
    embedder.embed_passages(["warm up"])
    began = time.perf_counter()
    embedder.embed_passages(texts)
    alone = time.perf_counter() - began
    print(f"documents {len(paths)}  bytes {sum(p.stat().st_size for p in paths)}  chunks {len(texts)}")
    print(f"ingestion {wall:.1f} s  embedding alone {alone:.1f} s  ratio {wall / alone:.2f}")
    print(f"chunks/s {len(texts) / wall:.1f}")


if __name__ == "__main__":
    main()
