"""Versions: wall time of a 1 % change ÷ wall time of full ingestion of the same document.

    python -m tests.benchmarks.bench_change [--paragraphs 300] [--rounds 5]

One real worker on the embedded servers, without Celery: the job's own work, from bytes to readers. Every round changes
other paragraphs of a document (1 % of them), as an upload of new bytes. Prints the stages' times too.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from ingestion.pipeline import DocumentPath
from kbcore.bootstrap import Platform
from kbcore.domain.document import VersionState
from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from kbcore.settings import load_settings
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.redis import EmbeddedRedis
from services.supervisor.sockets import socket_folder
from tests.benchmarks.bench_ingest import CORPORA
from tests.integration.ingesting import Works, open_works
from tests.servers import running


def paragraphs(count: int) -> list[str]:
    """Sections of Chinese laws, each long enough to be a chunk of its own."""
    found: list[str] = []
    for file in sorted((CORPORA / "laws_zh_by_department").rglob("*.md")):
        text = "".join(line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
        found += [text[start : start + 220] for start in range(0, len(text) - 220, 220)]
        if len(found) >= count:
            return found[:count]
    raise SystemExit("too few texts")


def document(parts: list[str]) -> str:
    """A section each."""
    return "\n\n".join(f"## 第{number}节\n\n{part}" for number, part in enumerate(parts))


def ingest(works: Works, text: str, document_id: str | None, stages: dict[str, float]) -> tuple[str, float]:
    """The document's id, and seconds from the job's start to its end."""
    document_id, number, job_id = works.upload(text, document_id)
    original, last = DocumentPath.run, [("", time.perf_counter())]

    def timed(path, document, version, progress):  # type: ignore[no-untyped-def]
        def told(stage: str, done: int, total: int) -> None:
            now = time.perf_counter()
            stages[last[0][0]] += now - last[0][1]
            last[0] = (stage, now)
            progress(stage, done, total)

        return original(path, document, version, told)

    DocumentPath.run = timed  # type: ignore[method-assign]
    began = time.perf_counter()
    try:
        works.bench.run(job_id)
    finally:
        DocumentPath.run = original  # type: ignore[method-assign]
    ended = time.perf_counter()
    stages[last[0][0]] += ended - last[0][1]
    assert works.version(document_id, number).state is VersionState.INDEXED
    return document_id, ended - began


def measure(works: Works, count: int, rounds: int) -> None:
    """Ingest, change, print."""
    whole, changed = defaultdict[str, float](float), defaultdict[str, float](float)
    ingest(works, document(paragraphs(8)), None, defaultdict(float))  # the model, the parser and the dictionaries
    parts = paragraphs(count)
    document_id, full = ingest(works, document(parts), None, whole)
    chunks = works.embedder.passages
    print(f"full ingestion   {full:7.3f} s   {chunks} chunks embedded   {_shown(whole)}")
    times = []
    share = max(1, count // 100)
    for turn in range(rounds):
        for offset in range(share):
            at = (turn * 37 + offset * 11) % count
            parts[at] = f"{parts[at][:100]}第{turn}次修订。{parts[at][110:]}"
        before = works.embedder.passages
        times.append(ingest(works, document(parts), document_id, changed)[1])
        print(f"1 % changed      {times[-1]:7.3f} s   {works.embedder.passages - before} chunks embedded")
    print(f"stages of a change: {_shown({stage: seconds / rounds for stage, seconds in changed.items()})}")
    print(f"cost of a 1 % change ÷ full ingestion: {statistics.median(times) / full:.4f}")


def _shown(stages: dict[str, float]) -> str:
    return "  ".join(f"{stage} {seconds:.3f}" for stage, seconds in stages.items() if stage)


def main() -> None:
    """Start the servers and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--paragraphs", type=int, default=300)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    home = Path(tempfile.mkdtemp(prefix="zhiku-bench-"))
    sockets = socket_folder(home)
    postgres = EmbeddedPostgres(home / "postgres", sockets, durable=True)
    redis, milvus = EmbeddedRedis(home / "redis", sockets), EmbeddedMilvus(home / "milvus", sockets)
    with ExitStack() as servers:
        for name, server in (("postgres", postgres), ("redis", redis), ("milvus", milvus)):
            servers.enter_context(running(server.prepare(), home / f"{name}.log"))
        settings = load_settings(
            {
                "ZHIKU_HOME": str(home),
                "ZHIKU_DATABASE__URL": postgres.url,
                "ZHIKU_REDIS__URL": redis.url,
                "ZHIKU_MILVUS__URI": milvus.uri,
            }
        )
        platform = Platform(settings)
        database = Database(postgres.url)
        upgrade(database)
        with open_works(platform) as works:
            measure(works, chosen.paragraphs, chosen.rounds)
        database.dispose()


if __name__ == "__main__":
    main()
