"""Many streaming chats at once: time to the first word through Zhiku against the model server's own.

    python -m tests.benchmarks.bench_chat [FOLDER [chats [rounds]]]

With a data folder to which `zhiku models add local-qwen` has added the model, that model answers; without one (or `-`)
the suite's chat server does, which thinks for half a second and then writes 7 characters every 50 ms; it is asked as a
strong model is, with whole passages and no quotes below. Each round asks all chats at once through
`/v1/chat/completions`, then sends the same prompts to the model server itself. Zhiku shows nothing before a whole
statement is written and verified, so the server's first whole sentence is timed, too.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import structlog

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.language.script import detect_language
from kbcore.llm.interface import AnswerRequest
from kbcore.settings import Settings, load_settings
from services.query.assemble import assemble
from services.query.pipeline import search
from services.query.request import SearchRequest
from tests.integration.asking import open_desk
from tests.servers.chat_server import chat_server
from tests.servers.embedded import embedded_platform
from tests.servers.local_model import adopt, local_model

QUESTIONS = (
    "年假可以结转吗？",
    "病假需要什么证明？",
    "How much may a hotel in Beijing cost?",
    "Who approves business class?",
)
SAID = "年假可以结转至次年三月三十一日。[1]病假需提供医院证明。[2]Hotel costs are reimbursed up to 600 yuan. [1]"
PATIENCE_S = 600


def main(folder: str = "-", chats: int = 16, rounds: int = 3) -> None:
    """Serve, ask, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with ExitStack() as stack:
        platform = stack.enter_context(embedded_platform())
        desk = stack.enter_context(open_desk(platform))
        settings = stack.enter_context(served(folder, stack))
        adopt(platform, settings)
        prompts = [prompt(platform, desk.people["employee"], question) for question in QUESTIONS]
        (model,) = settings.llm.models
        ours = [{"model": model.name, "stream": True, "messages": [user(question)]} for question in QUESTIONS]
        theirs = [{"model": model.name, "stream": True, "temperature": 0, "max_tokens": 200,
                   "messages": messages} for messages in prompts]  # fmt: skip
        key = model.api_key.get_secret_value()
        at_zhiku = (f"{desk.url}/v1/chat/completions", desk.keys["employee"])
        at_server = (f"{model.base_url}/chat/completions", key)
        together(at_zhiku, ours, len(QUESTIONS) if chats > 2 else 1)  # whatever is loaded at first use
        zhiku, server, sentences = [], [], []
        for _ in range(rounds):
            zhiku += [first for first, _ in together(at_zhiku, ours, chats)]
            direct = together(at_server, theirs, chats)
            server += [first for first, _ in direct]
            sentences += [sentence for _, sentence in direct]
        report(chats, rounds, {"Zhiku, first statement": zhiku, "server, first token": server,
                               "server, first sentence": sentences})  # fmt: skip


def served(folder: str, stack: ExitStack) -> Any:
    """The settings of the model that answers, for a block."""
    if folder != "-":
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        return local_model(Path(folder), scratch, ZHIKU_LOCAL_MODEL__TIMEOUT_S=str(PATIENCE_S))
    chat = stack.enter_context(chat_server())
    chat.answer, chat.thinks_s = SAID, 0.5
    entry = {
        **{"name": "slow", "provider": "openai", "model": "slow", "base_url": chat.base_url, "api_key": "any"},
        **{"max_classification": "restricted", "context_tokens": 8192, "timeout_s": PATIENCE_S},
    }
    return _Plain(load_settings({"ZHIKU_LLM__MODELS": json.dumps([entry])}))


class _Plain:
    """Settings as a context."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Settings:
        return self._settings

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def user(text: str) -> dict[str, str]:
    """A chat message."""
    return {"role": "user", "content": text}


def prompt(platform: Platform, caller: Caller, question: str) -> list[dict[str, str]]:
    """What Zhiku sends for this question."""
    found = search(platform, caller, SearchRequest(question, platform.settings.answer.passages))
    request = AnswerRequest(question, detect_language(question), assemble(found.ranked))
    model = platform.answer_models[platform.settings.llm.models[0].name]
    return [{"role": each.role, "content": each.content} for each in model.prompt(request).messages]


def together(place: tuple[str, str], bodies: Sequence[dict[str, Any]], chats: int) -> list[tuple[float, float]]:
    """So many chats at once: seconds to the first words and to the first whole sentence of each."""
    with ThreadPoolExecutor(chats) as pool:
        return list(pool.map(lambda number: timed(place, bodies[number % len(bodies)]), range(chats)))


def timed(place: tuple[str, str], body: dict[str, Any]) -> tuple[float, float]:
    """One chat. It is read to its end: closing it early would free the server for the others."""
    url, key = place
    began, first, sentence, said = time.perf_counter(), 0.0, 0.0, ""
    headers = {"authorization": f"Bearer {key}"}
    with httpx.stream("POST", url, json=body, headers=headers, timeout=PATIENCE_S) as response:
        response.raise_for_status()
        for words in pieces(response):
            said += words
            first = first or time.perf_counter() - began
            if not sentence and any(end in said for end in ("。", ". ", ".[", "\n", "]")):
                sentence = time.perf_counter() - began
    return first, sentence or time.perf_counter() - began


def pieces(response: httpx.Response) -> Iterator[str]:
    """The words of a streamed completion."""
    for line in response.iter_lines():
        if line.startswith("data:") and "[DONE]" not in line:
            choices = json.loads(line.removeprefix("data:")).get("choices") or [{}]
            if words := choices[0].get("delta", {}).get("content"):
                yield words


def report(chats: int, rounds: int, measured: dict[str, list[float]]) -> None:
    """p50 and p95 of each, and the ratios."""
    p95: Callable[[list[float]], float] = lambda values: sorted(values)[int(0.95 * (len(values) - 1))]  # noqa: E731
    print(f"{chats} chats at once, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for name, values in measured.items():
        print(f"  {name:24} p50 {statistics.median(values):6.2f} s   p95 {p95(values):6.2f} s")
    zhiku, *others = measured.items()
    for name, values in others:
        middle = statistics.median(zhiku[1]) / statistics.median(values)
        print(f"  {zhiku[0]} ÷ {name}: p50 {middle:.2f}, p95 {p95(zhiku[1]) / p95(values):.2f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "-", *(int(number) for number in sys.argv[2:4]))
