"""`/v1/search` over HTTP against its floor: embedding the question plus the same two raw pymilvus calls.

    python -m tests.benchmarks.bench_search [rows]

Prints p50 and p95 of both, measured in turn over the same questions in one run, and their ratio. The rows are synthetic
passages in 20 spaces, of which the caller reads 10; the servers are the embedded ones. Nothing is asserted.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa
from pymilvus import MilvusClient

from kbcore.bootstrap import Platform
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Matrix
from kbcore.vectors import milvus_filter
from kbcore.vectors.interface import VectorFilter
from kbcore.vectors.milvus_schema import LITE
from services.auth.api_keys import issue_key
from services.query.request import SearchRequest
from services.query.retrieve import analyse, stand, weigh
from tests.builders import Corpus
from tests.servers.application import serving
from tests.servers.embedded import embedded_platform

ROUNDS = 60
VOCABULARY = """
年假 病假 报销 审批 合同 采购 预算 发票 培训 考勤 绩效 薪酬 出差 酒店 机票 密码 设备 仓库 客户 会议 部门 主管 员工 制度
travel hotel invoice contract budget approval leave policy password device meeting customer security training
"""
WORDS = VOCABULARY.split()


class RandomPassages(BundledEmbedder):
    """The real model for questions; random vectors for passages, which would take ten minutes to embed."""

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        chance = np.random.default_rng(len(texts)).normal(0.5, size=(len(texts), self.dimension))
        rows: Matrix = (chance / np.linalg.norm(chance, axis=1, keepdims=True)).astype(np.float32)
        return rows

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 2 for text in texts]


def main(rows: int) -> None:
    """Build, measure, print."""
    chance = random.Random(1)
    with ExitStack() as stack:
        platform = stack.enter_context(embedded_platform())
        platform.__dict__["embedder"] = RandomPassages()
        corpus = Corpus.open(platform)
        token = fill(corpus, rows, chance)
        url = stack.enter_context(serving(platform))
        client = stack.enter_context(httpx.Client(headers={"authorization": f"Bearer {token}"}))
        raw = MilvusClient(platform.settings.milvus.uri)
        caller = corpus.person("reader2", "readers")
        questions = [" ".join(chance.sample(WORDS, 5)) for _ in range(ROUNDS)]

        def ask(question: str) -> dict[str, Any]:
            answer = client.post(f"{url}/v1/search", json={"query": question})
            took: dict[str, Any] = answer.raise_for_status().json()["took_ms"]
            return took

        def floor(question: str) -> Callable[[], object]:
            words = analyse(question)
            request = SearchRequest(question, 8)
            standpoint = stand(platform, caller, words, request)
            where = VectorFilter(standpoint.scope, standpoint.epoch)
            weights = weigh(words, standpoint, request)
            return lambda: raw_calls(raw, platform, corpus.generation.collection, question, where, weights)

        report(rows, questions, ask, floor)


def report(
    rows: int,
    questions: Sequence[str],
    ask: Callable[[str], dict[str, Any]],
    floor: Callable[[str], Callable[[], object]],
) -> None:
    """Both in turn, so that whatever else the machine does hits both."""
    ours, theirs, stages = [], [], []
    for question in [*questions[:5], *questions]:
        begun = time.perf_counter()
        stages.append(ask(question))
        ours.append((time.perf_counter() - begun) * 1000)
        call = floor(question)
        begun = time.perf_counter()
        call()
        theirs.append((time.perf_counter() - begun) * 1000)
    ours, theirs, stages = ours[5:], theirs[5:], stages[5:]
    for name, times in (("/v1/search over HTTP", ours), ("embed + 2 raw calls", theirs)):
        print(
            f"{name:24} p50 {statistics.median(times):6.1f} ms   p95 {np.percentile(times, 95):6.1f} ms   {rows} rows"
        )
    print(f"ratio of the p50s: {statistics.median(ours) / statistics.median(theirs):.2f}")
    for stage in ("embed", "search", "check", "total"):
        print(f"  stage {stage:8} p50 {statistics.median(took[stage] for took in stages):6.1f} ms")


def raw_calls(
    client: MilvusClient,
    platform: Platform,
    collection: str,
    question: str,
    where: VectorFilter,
    terms: dict[int, float],
) -> None:
    """What no search on this stack can do without."""
    vector = platform.embedder.embed_query(question)
    expression, limit = milvus_filter.readable(where), platform.settings.retrieval.candidates
    dense = LITE.search_params(LITE.widths[0], limit)
    client.search(
        collection, [vector], anns_field=milvus_filter.DENSE, limit=limit, filter=expression, search_params=dense
    )
    client.search(
        collection,
        [terms],
        anns_field=milvus_filter.SPARSE,
        limit=limit,
        filter=expression,
        search_params={"metric_type": "IP"},
    )


def fill(corpus: Corpus, rows: int, chance: random.Random) -> str:
    """20 spaces, `rows` passages in documents of 20; returns a reader's key."""
    for number in range(20):
        corpus.space(f"s{number}", "readers" if number % 2 else "others")
    for number in range(rows // 20):
        paragraphs = [" ".join(chance.choices(WORDS, k=45)) + "。" for _ in range(20)]
        corpus.add(f"s{number % 20}", f"Document {number}", "\n\n".join(paragraphs), publish=False)
    corpus.publish()
    corpus.platform.vectors.flush(corpus.generation.collection)
    caller = corpus.person("reader", "readers")
    with corpus.platform.database.begin() as connection:
        connection.execute(sa.text("ANALYZE"))  # as autovacuum does within a minute
        return issue_key(connection, user_id=caller.user_id, name="bench").token


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
