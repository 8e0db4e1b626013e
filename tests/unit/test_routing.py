"""Which model may see what, and when one is left alone."""

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.domain.document import Classification
from kbcore.errors import NotFound
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerPart, AnswerRequest
from kbcore.llm.routing import AUTOMATIC, Backend, choose

LEVELS = st.sampled_from(Classification)


class Named:
    """A model that is only a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        yield AnswerPart()

    def ping(self) -> None:
        return


def backend(name: str, allowed: Classification) -> Backend:
    return Backend(Named(name), allowed, Breaker(failures=1, rest_s=1))


def among(**allowed: Classification) -> dict[str, Backend]:
    return {name: backend(name, level) for name, level in allowed.items()}


BACKENDS = among(cloud=Classification.PUBLIC, house=Classification.CONFIDENTIAL, extractive=Classification.RESTRICTED)
ORDER = ("cloud", "house", "extractive")


def names(requested: str | None, level: Classification) -> list[str]:
    return [each.name for each in choose(BACKENDS, requested, ORDER, level).backends]


def test_text_goes_to_the_first_that_may_have_it_and_never_further_down() -> None:
    assert names(None, Classification.PUBLIC) == ["cloud", "house", "extractive"]
    assert names(AUTOMATIC, Classification.INTERNAL) == ["house", "extractive"]
    assert names(None, Classification.RESTRICTED) == ["extractive"]


def test_asking_by_name_gives_no_right_to_send() -> None:
    assert names("house", Classification.PUBLIC) == ["house", "cloud", "extractive"]
    assert names("cloud", Classification.CONFIDENTIAL) == ["house", "extractive"]
    because = choose(BACKENDS, "cloud", ORDER, Classification.CONFIDENTIAL).because
    assert because == "the text is confidential, and cloud may be sent public text at most"


def test_what_was_chosen_says_why() -> None:
    assert choose(BACKENDS, None, ORDER, Classification.PUBLIC).because == "the configured default"
    assert choose(BACKENDS, "extractive", ORDER, Classification.PUBLIC).because == "asked for by name"
    assert choose(BACKENDS, "cloud", ORDER, Classification.PUBLIC).because == "asked for by name"
    with pytest.raises(NotFound):
        choose(BACKENDS, "gpt", ORDER, Classification.PUBLIC)


@given(st.lists(LEVELS, max_size=4), LEVELS, st.integers(0, 4))
def test_no_backend_is_ever_given_more_than_it_may_have(
    allowed: list[Classification], level: Classification, asked: int
) -> None:
    backends = {f"m{number}": backend(f"m{number}", each) for number, each in enumerate(allowed)}
    backends["extractive"] = backend("extractive", Classification.RESTRICTED)
    requested = list(backends)[asked % len(backends)]
    route = choose(backends, requested, tuple(backends), level)
    assert route.backends
    assert all(level <= each.allowed for each in route.backends)


def test_a_breaker_opens_rests_and_lets_one_try() -> None:
    now = 0.0
    breaker = Breaker(failures=2, rest_s=10, clock=lambda: now)
    breaker.failed()
    assert breaker.lets_through()
    breaker.failed()
    assert not breaker.lets_through()
    now = 10.0
    assert breaker.lets_through()
    assert not breaker.lets_through()  # somebody is trying already
    breaker.succeeded()
    assert breaker.lets_through()
    breaker.failed()
    assert breaker.lets_through()
