"""`LangChainModel` on a service that behaves badly in ways that clients do not notice, or make worse."""

import time
from collections.abc import Iterator

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerPart, AnswerRequest, Source
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService
from kbcore.settings import CONFIG_FOLDER
from tests.servers.chat_server import ChatServer, chat_server

WORDS = "年假可以结转。[1]"
REQUEST = AnswerRequest("年假可以结转吗？", "zh", [Source(1, "手册", "年假可以结转。", (), 1.0, "zh")], max_tokens=50)


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with chat_server() as server:
        server.answer = WORDS
        yield server


def model_of(
    chat: ChatServer, behaviour: str, *, timeout_s: float = 5, breaker: Breaker | None = None
) -> LangChainModel:
    return LangChainModel(
        "house",
        ChatService("openai", behaviour, chat.base_url, "sk-secret", api_version="", timeout_s=timeout_s),
        allowed=Classification.PUBLIC,
        context_tokens=4096,
        prompts=CONFIG_FOLDER / "prompts",
        breaker=breaker or Breaker(failures=100, rest_s=1),
    )


def failure_of(model: LangChainModel) -> str:
    with pytest.raises(Unavailable) as failure:
        list(model.answer(REQUEST))
    assert "secret" not in failure.value.detail
    return failure.value.detail


@pytest.mark.parametrize(
    ("behaviour", "times", "told"),
    [
        ("rate_limited", 1, "RateLimit"),  # which says: come back in 30 s
        ("unauthorised", 1, "Authentication"),
        ("silent", 1, "Timeout"),
        ("broken", 2, "APIError"),
    ],
)
def test_only_what_may_pass_at_once_is_asked_for_again(chat: ChatServer, behaviour: str, times: int, told: str) -> None:
    assert told in failure_of(model_of(chat, behaviour, timeout_s=1))
    assert len(chat.requests) == times


@pytest.mark.parametrize(("behaviour", "timeout_s"), [("alive", 0.2), ("one_line", 600)])
def test_what_has_no_end_is_broken_off(chat: ChatServer, behaviour: str, timeout_s: float) -> None:
    assert "Timeout" in failure_of(model_of(chat, behaviour, timeout_s=timeout_s))
    assert chat.hung_up.wait(10)


def test_an_answer_without_an_end_is_cut_where_its_tokens_are_used_up(chat: ChatServer) -> None:
    parts = list(model_of(chat, "endless").answer(REQUEST))
    assert sum(len(part.text) for part in parts) <= 16 * 50
    assert parts[-1] == AnswerPart(usage=None, finish_reason="length")
    assert chat.hung_up.wait(10)
    assert len(model_of(chat, "endless").say([], max_tokens=10)) <= 16 * 10 + len(WORDS)


@pytest.mark.parametrize("behaviour", ["withheld", "tools"])
def test_an_answer_that_was_withheld_is_none(chat: ChatServer, behaviour: str) -> None:
    breaker = Breaker(failures=1, rest_s=600)
    assert "withheld" in failure_of(model_of(chat, behaviour, breaker=breaker))
    assert not breaker.open  # it is this question's fault


def test_nothing_is_no_answer(chat: ChatServer) -> None:
    chat.answer = ""
    assert "said nothing" in failure_of(model_of(chat, "say"))


def test_characters_that_cannot_be_stored_do_not_get_through(chat: ChatServer) -> None:
    text = "".join(part.text for part in model_of(chat, "unreadable").answer(REQUEST))
    assert text == "\ufffd" + WORDS
    assert model_of(chat, "unreadable").say([], max_tokens=50) == text


@pytest.mark.parametrize("behaviour", ["uncounted", "miscounted"])
def test_a_count_that_is_none_is_not_told(chat: ChatServer, behaviour: str) -> None:
    assert list(model_of(chat, behaviour).answer(REQUEST))[-1].usage is None


def test_a_breaker_closes_when_its_one_try_is_broken_off_by_the_reader(chat: ChatServer) -> None:
    breaker = Breaker(failures=1, rest_s=0.01)
    breaker.failed()
    time.sleep(0.02)
    reading = model_of(chat, "say", breaker=breaker).answer(REQUEST)
    next(reading)
    reading.close()
    assert breaker.lets_through()
    assert breaker.lets_through()
