"""Limits and quotas, on a real Redis and over HTTP; the time is an argument, so that nothing waits for it."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.ids import new_id
from kbcore.errors import TooManyRequests, Unavailable
from kbcore.llm.interface import Message
from kbcore.metadata import usage
from kbcore.metadata.usage import Use
from kbcore.observability.metrics import limits_unchecked
from kbcore.settings import LimitSettings
from services.limits.counters import LEASE_S, Counters, Window
from services.limits.gate import Gate
from services.query.request import AskRequest
from services.query.understand.rewriter import rewriter
from tests.integration.asking import Desk
from tests.servers.application import serving

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC).timestamp()
QUESTION = {"question": "年假可以结转吗？"}
CHAT = {"model": "zhiku", "messages": [{"role": "user", "content": QUESTION["question"]}]}


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def limits(**values: Any) -> LimitSettings:
    nothing = {name: 0 for name in LimitSettings.model_fields if name not in ("strict", "overrides")}
    return LimitSettings(**{"strict": False, **nothing, **values})


@pytest.fixture
def counters(redis_url: str) -> Iterator[Counters]:
    opened = Counters(redis_url)
    yield opened
    opened.close()


@dataclass
class Gated:
    """Two API processes behind gates that share a Redis."""

    desk: Desk
    clock: Clock
    urls: list[str] = field(default_factory=list)

    def client(self, person: str = "employee", process: int = 0) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.desk.keys[person]}"}
        return httpx.Client(base_url=self.urls[process], headers=headers, timeout=30)


@contextlib.contextmanager
def gated(desk: Desk, redis_url: str, processes: int = 1, **values: Any) -> Iterator[Gated]:
    found = Gated(desk, Clock())
    with contextlib.ExitStack() as stack:
        for _ in range(processes):
            gate = Gate(limits(**values), redis_url, clock=found.clock)
            found.urls.append(stack.enter_context(serving(desk.corpus.platform, gate)))
        yield found


def test_a_window_moves_and_says_when_it_is_open_again(counters: Counters) -> None:
    window = [Window("user", new_id(), 2)]

    def ask(now: float) -> tuple[str | None, int]:
        counted = counters.admit(window, new_id(), now, user="u", answers=0)
        return counted.refused, counted.retry_after

    assert [ask(NOON), ask(NOON + 10)] == [(None, 0), (None, 0)]
    assert ask(NOON + 20) == ("user", 40)
    assert ask(NOON + 59.5) == ("user", 1)
    assert ask(NOON + 60) == (None, 0), "the first one is a minute old"
    assert ask(NOON + 61) == ("user", 9), "until the second one is"


def test_what_one_limit_refuses_uses_up_no_other(counters: Counters) -> None:
    wide, narrow = Window("key", new_id(), 3), Window("user", new_id(), 1)
    for _ in range(5):
        counters.admit([wide, narrow], new_id(), NOON, user="u", answers=0)
    assert counters.admit([wide], new_id(), NOON, user="u", answers=0).used == (2,)


def test_exactly_as_many_pass_at_once_as_may(redis_url: str) -> None:
    window, barrier = [Window("user", new_id(), 7)], threading.Barrier(16)
    processes = [Counters(redis_url) for _ in range(2)]

    def knock(number: int) -> str | None:
        barrier.wait()
        return processes[number % 2].admit(window, new_id(), NOON, user="u", answers=0).refused

    with ThreadPoolExecutor(16) as pool:
        refused = list(pool.map(knock, range(16)))
    assert refused.count(None) == 7
    for process in processes:
        process.close()


def test_a_slot_is_given_back_and_runs_out_if_its_process_dies(counters: Counters) -> None:
    user = new_id()

    def begin(answer: str, now: float) -> str | None:
        return counters.admit([], answer, now, user=user, answers=1).refused

    assert begin("first", NOON) is None
    assert begin("second", NOON + 1) == "answers"
    counters.release(user, "first")
    assert begin("second", NOON + 2) is None
    counters.renew(user, "second", NOON + 60)
    assert begin("third", NOON + 3 + LEASE_S) == "answers", "it said that it is still being written"
    assert begin("third", NOON + 61 + LEASE_S) is None, "it said no more"
    counters.renew(user, "second", NOON + 61 + LEASE_S)
    counters.release(user, "third")
    assert begin("fourth", NOON + 62 + LEASE_S) is None, "what has run out is not revived"


def test_two_processes_count_together(desk: Desk, redis_url: str) -> None:
    with gated(desk, redis_url, processes=2, user_requests_per_minute=2) as api:
        answers = []
        for process in (0, 1, 0):
            with api.client(process=process) as client:
                answers.append(client.post("/v1/search", json={"query": "年假"}))
        assert [each.status_code for each in answers] == [200, 200, 429]
        refused = answers[-1]
        assert (refused.json()["code"], refused.headers["Retry-After"]) == ("too_many_requests", "60")
        with api.client("hr") as other, api.client() as same:
            assert other.post("/v1/search", json={"query": "年假"}).status_code == 200, "somebody else"
            assert same.get("/v1/documents").status_code == 200, "nothing that asks a model or an index"
            api.clock.now += 60
            assert same.post("/v1/search", json={"query": "年假"}).status_code == 200


def test_every_route_that_costs_something_is_limited_before_work(desk: Desk, redis_url: str) -> None:
    calls = {
        "/v1/search": {"query": "年假"},
        "/retrieval": {"knowledge_id": "public", "query": "年假", "retrieval_setting": {"top_k": 2}},
        "/v1/ask": {**QUESTION, "model": "say"},
        "/v1/chat/completions": {**CHAT, "model": "say"},
        "/v1/embeddings": {"model": "zhiku", "input": "年假"},
    }
    with gated(desk, redis_url, key_requests_per_minute=1) as api, api.client() as client:
        assert client.post("/v1/search", json={"query": "年假"}).status_code == 200
        for path, body in calls.items():
            refused = client.post(path, json=body)
            assert (path, refused.status_code) == (path, 429)
            assert refused.headers["Retry-After"] == "60"
    assert desk.chat.requests == []


def test_openais_clients_are_told_in_their_own_words(desk: Desk, redis_url: str) -> None:
    with gated(desk, redis_url, user_requests_per_minute=2, user_tokens_per_day=1000) as api, api.client() as client:
        first = client.post("/v1/chat/completions", json={**CHAT, "stream": True})
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-reset-requests"] == "60s"
        assert first.headers["x-ratelimit-remaining-tokens"] == "1000"
        assert first.headers["x-ratelimit-reset-tokens"] == f"{12 * 3600}s"
        client.post("/v1/chat/completions", json=CHAT)
        refused = client.post("/v1/chat/completions", json=CHAT)
        assert refused.status_code == 429
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert refused.json()["error"]["code"] == "too_many_requests"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        plain = client.post("/v1/search", json={"query": "年假"})
        assert "x-ratelimit-limit-requests" not in plain.headers


def test_a_slot_is_free_again_when_the_client_goes_away(desk: Desk, redis_url: str) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日。[1]" * 40
    with gated(desk, redis_url, user_answers_at_once=1) as api, api.client() as client:
        with client.stream("POST", "/v1/ask", json={**QUESTION, "model": "slow", "stream": True}) as stream:
            lines = stream.iter_lines()
            next(lines)
            with api.client() as second:
                busy = second.post("/v1/ask", json=QUESTION)
                assert (busy.status_code, busy.headers["Retry-After"]) == (429, "5")
        assert desk.chat.hung_up.wait(10)
        for _ in range(200):  # the server hangs up first, and gives the slot back then
            if (answer := client.post("/v1/ask", json=QUESTION)).status_code == 200:
                break
        assert answer.status_code == 200
        assert client.post("/v1/ask", json=QUESTION).status_code == 200, "what is complete holds no slot"
        assert client.post("/v1/ask", json={**QUESTION, "model": "none"}).status_code == 404
        assert client.post("/v1/ask", json=QUESTION).status_code == 200, "nor does what was refused"
        streamed = client.post("/v1/ask", json={**QUESTION, "stream": True})
        assert "event: done" in streamed.text
        assert client.post("/v1/ask", json=QUESTION).status_code == 200, "nor a stream that was read to its end"


@pytest.mark.parametrize(
    ("values", "day", "retry_after"),
    [
        ({"user_tokens_per_day": 100}, 10, 12 * 3600),
        ({"user_cost_per_month": 0.5}, 2, 21 * 86400 + 12 * 3600),
        ({"total_cost_per_month": 0.5}, 1, 21 * 86400 + 12 * 3600),
    ],
)
def test_a_quota_is_used_up_until_it_begins_anew(
    desk: Desk, redis_url: str, values: dict[str, float], day: int, retry_after: int
) -> None:
    used = Use(
        desk.people["employee"].user_id, "say", 60, 40, 500_000, 1, day=datetime(2026, 3, day, tzinfo=UTC).date()
    )
    with gated(desk, redis_url, **values) as api, api.client() as client, api.client("hr") as other:
        assert client.post("/v1/ask", json=QUESTION).status_code == 200
        with desk.corpus.platform.database.begin() as connection:
            usage.add(connection, [used])
        refused = client.post("/v1/ask", json=QUESTION)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_used_up")
        assert refused.headers["Retry-After"] == str(retry_after)
        shared = "total_cost_per_month" in values
        assert other.post("/v1/ask", json=QUESTION).status_code == (429 if shared else 200)
        api.clock.now += retry_after - 1
        assert client.post("/v1/ask", json=QUESTION).headers["Retry-After"] == "1"
        api.clock.now += 1
        assert client.post("/v1/ask", json=QUESTION).status_code == 200


def test_overrides_for_people_and_groups(desk: Desk, redis_url: str) -> None:
    overrides = [{"group": "hr", "user_requests_per_minute": 0}, {"user": "employee", "user_requests_per_minute": 2}]
    with (
        gated(desk, redis_url, user_requests_per_minute=1, overrides=overrides) as api,
        api.client() as employee,
        api.client("hr") as hr,
    ):
        said = [employee.post("/v1/search", json={"query": "年假"}).status_code for _ in range(3)]
        assert said == [200, 200, 429]
        assert {hr.post("/v1/search", json={"query": "年假"}).status_code for _ in range(4)} == {200}


def test_a_model_is_limited_for_everybody_together(desk: Desk, redis_url: str) -> None:
    gate = Gate(limits(model_requests_per_minute=1), redis_url, clock=lambda: NOON)
    database, model = desk.corpus.platform.database, new_id()
    for _ in range(2):
        admission = gate.admit(database, desk.people["employee"], model=model, answers=True)
        assert admission.refusal is None, "looked at, not counted: it may be that another model is asked"
    assert [admission.may_ask(model) for _ in range(2)] == [True, False]
    refusal = gate.admit(database, desk.people["hr"], model=model, answers=True).refusal
    assert isinstance(refusal, TooManyRequests)
    assert gate.admit(database, desk.people["hr"], model=new_id(), answers=True).refusal is None
    assert [gate.may_ask("extractive") for _ in range(3)] == [True] * 3, "quoting is nobody's service"
    gate.close()


def test_a_model_that_is_asked_too_often_is_passed_over_unless_it_is_named(desk: Desk, redis_url: str) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日，逾期作废。[1]"
    platform, named = desk.corpus.platform, {**QUESTION, "model": "say"}
    routed = platform.settings.llm.model_copy(update={"default": "say"})
    platform.settings = platform.settings.model_copy(update={"llm": routed})
    with gated(desk, redis_url, model_requests_per_minute=2) as api, api.client() as client:
        first, second, third = (client.post("/v1/ask", json=QUESTION).json() for _ in range(3))
        assert [first["model"], second["model"], third["model"]] == ["say", "say", "extractive"]
        assert third["routed_because"] == "say is asked too often: extractive answers instead"
        assert len(desk.chat.requests) == 2
        refused = client.post("/v1/ask", json={**named, "stream": True})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
        assert client.post("/v1/ask", json={**QUESTION, "model": "extractive"}).status_code == 200
        api.clock.now += 60
        assert client.post("/v1/ask", json=named).json()["model"] == "say"


def test_a_fallback_counts_where_it_is_asked(desk: Desk, redis_url: str) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日，逾期作废。[1]"
    platform = desk.corpus.platform
    routed = platform.settings.llm.model_copy(update={"default": "broken", "fallbacks": ("slow",)})
    platform.settings = platform.settings.model_copy(update={"llm": routed})
    with gated(desk, redis_url, model_requests_per_minute=1) as api, api.client() as client:
        assert [client.post("/v1/ask", json=QUESTION).json()["model"] for _ in range(2)] == ["slow", "extractive"]


def test_a_rewriter_that_is_asked_too_often_leaves_it_to_the_rules(desk: Desk) -> None:
    platform = desk.corpus.platform
    rewriting = platform.settings.llm.model_copy(update={"rewrite": "say"})
    platform.settings = platform.settings.model_copy(update={"llm": rewriting})
    ask_model = rewriter(platform, AskRequest("那病假呢？"), lambda name: name != "say")
    assert ask_model is not None
    with pytest.raises(Unavailable):
        ask_model([Message("user", "那病假呢？")])
    assert desk.chat.requests == []


def test_without_redis_requests_pass_and_are_counted_as_unchecked(platform: Platform, desk: Desk) -> None:
    before = limits_unchecked._value.get()
    gate = Gate(limits(user_requests_per_minute=1), "redis://127.0.0.1:1/0")
    for _ in range(3):
        assert gate.admit(platform.database, desk.people["employee"]).refusal is None
    assert limits_unchecked._value.get() == before + 3
    strict = Gate(limits(user_requests_per_minute=1, strict=True), "redis://127.0.0.1:1/0")
    for _ in range(2):
        with pytest.raises(Unavailable):
            strict.admit(platform.database, desk.people["employee"])


def test_nothing_is_asked_of_redis_while_nothing_is_limited(platform: Platform, desk: Desk) -> None:
    gate = Gate(limits(strict=True), "redis://127.0.0.1:1/0")
    assert gate.admit(platform.database, desk.people["employee"], answers=True).refusal is None
