"""Which model may see what, and when one is left alone."""

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.domain.document import Classification
from kbcore.errors import NotFound
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt
from kbcore.llm.routing import AUTOMATIC, choose, known

LEVELS = st.sampled_from(Classification)


class Named:
    """A model that is only a name."""

    def __init__(self, name: str, allowed: Classification) -> None:
        self.name = name
        self.allowed = allowed

    def prompt(self, request: AnswerRequest) -> Prompt:
        return Prompt((), (), "")

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        yield AnswerPart()

    def ping(self) -> None:
        return


def among(**allowed: Classification) -> dict[str, AnswerModel]:
    return {name: Named(name, level) for name, level in allowed.items()}


MODELS = among(cloud=Classification.PUBLIC, house=Classification.CONFIDENTIAL, extractive=Classification.RESTRICTED)
ORDER = ("cloud", "house", "extractive")


def names(requested: str | None, level: Classification) -> list[str]:
    return [each.name for each in choose(MODELS, requested, ORDER, level).models]


def test_text_goes_to_the_first_that_may_have_it_and_never_further_down() -> None:
    assert names(None, Classification.PUBLIC) == ["cloud", "house", "extractive"]
    assert names(AUTOMATIC, Classification.INTERNAL) == ["house", "extractive"]
    assert names(None, Classification.RESTRICTED) == ["extractive"]


def test_asking_by_name_gives_no_right_to_send() -> None:
    assert names("house", Classification.PUBLIC) == ["house", "cloud", "extractive"]
    assert names("cloud", Classification.CONFIDENTIAL) == ["house", "extractive"]
    because = choose(MODELS, "cloud", ORDER, Classification.CONFIDENTIAL).because
    assert because == "the text is confidential, and cloud may be sent public text at most"


def test_what_was_chosen_says_why() -> None:
    assert choose(MODELS, None, ORDER, Classification.PUBLIC).because == "the configured default"
    assert choose(MODELS, "extractive", ORDER, Classification.PUBLIC).because == "asked for by name"
    assert choose(MODELS, "cloud", ORDER, Classification.PUBLIC).because == "asked for by name"
    with pytest.raises(NotFound):
        choose(MODELS, "gpt", ORDER, Classification.PUBLIC)
    with pytest.raises(NotFound):
        known(MODELS, "gpt")
    known(MODELS, None)
    known(MODELS, AUTOMATIC)


def test_what_is_left_after_a_failure_never_includes_more() -> None:
    route = choose(MODELS, None, ORDER, Classification.INTERNAL).after("the model house does not answer")
    assert route is not None
    assert [each.name for each in route.models] == ["extractive"]
    assert route.because == "the model house does not answer: extractive answers instead"
    assert route.after("it fails, too") is None


@given(st.lists(LEVELS, max_size=4), LEVELS, st.integers(0, 4))
def test_no_backend_is_ever_given_more_than_it_may_have(
    allowed: list[Classification], level: Classification, asked: int
) -> None:
    models = among(**{f"m{number}": each for number, each in enumerate(allowed)}, extractive=Classification.RESTRICTED)
    requested = list(models)[asked % len(models)]
    route = choose(models, requested, tuple(models), level)
    assert route.models
    assert all(level <= each.allowed for each in route.models)


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
