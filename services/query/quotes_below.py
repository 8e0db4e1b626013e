"""A weak model's words are never shown alone: the documents' own sentences stand below them, or nothing is said."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.llm.interface import AnswerModel, AnswerPart, AnswerRequest, Prompt
from kbcore.llm.prompt import quoted_from
from kbcore.llm.routing import Route
from kbcore.llm.wrapped import WrappedModel
from services.guard.guard import QUOTING
from services.query.answer import Said
from services.query.generate import Outcome

HEADING = {"zh": "原文摘录：", "en": "From the documents:"}

_EXPERIMENTAL = "an experimental model: what it writes is checked, and it may still be wrong"
_ALONE = "an experimental model, which wrote nothing that the documents confirm: they are quoted instead"


def write(
    platform: Platform,
    model: AnswerModel,
    request: AnswerRequest,
    count_tokens: Callable[[str], int],
    outcome: Outcome,
    generate: Callable[[AnswerModel], Generator[Said, None, None]],
    quoted: Callable[[], Sequence[AnswerPart]],
) -> Generator[Said, None, None]:
    """What `generate` yields, which fills the same `outcome`.

    For a model with `quotes_below` the best quotes, verified like all else, stand below it.

    They are chosen first (`quoted`): where there is nothing to quote the model is not asked, and there is no answer.
    What it declines or nothing confirms leaves the quotes alone. Raises what `generate` raises.
    """
    weakness = platform.weakness(model.name)
    outcome.remark = _EXPERIMENTAL if weakness.experimental else ""
    if not weakness.quotes_below:
        yield from generate(model)
        return
    quotes = quoted()
    if not quotes:
        outcome.declined = True
        return
    written = _Watched(model)
    yield from generate(written)
    if not (written.ended or outcome.failed):
        return  # cut off by the asker's own limits, which hold for the quotes, too
    if outcome.text:
        if not (yield from _heading(request, count_tokens, outcome)):
            return
    elif weakness.experimental:
        outcome.remark = _ALONE
    yield from generate(_Ready(quotes))  # where the model came to its own limit, too


def explained(route: Route, outcome: Outcome) -> Route:
    """The route, its reason with what has to be said about the writing."""
    return replace(route, because=f"{route.because}; {outcome.remark}") if outcome.remark else route


def _heading(
    request: AnswerRequest, count_tokens: Callable[[str], int], outcome: Outcome
) -> Generator[Said, None, bool]:
    """False if there is no room for it."""
    text = f"\n\n{HEADING['zh' if request.language == 'zh' else 'en']}\n"
    if request.max_tokens is not None and count_tokens(outcome.text + text) > request.max_tokens:
        outcome.finish_reason = "length"
        return False
    outcome.text += text
    yield Said(text)
    return True


class _Watched(WrappedModel):
    """The model, and whether it came to its end."""

    def __init__(self, model: AnswerModel) -> None:
        super().__init__(model)
        self.ended = False

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """See `AnswerModel.answer`."""
        yield from super().answer(request)
        self.ended = True


class _Ready:
    """Says what has been chosen already."""

    def __init__(self, parts: Sequence[AnswerPart]) -> None:
        self.name = QUOTING
        self.allowed = Classification.RESTRICTED
        self._parts = parts

    def prompt(self, request: AnswerRequest) -> Prompt:
        """What they were chosen from."""
        return quoted_from(request)

    def answer(self, _request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """The parts."""
        yield from self._parts

    def ping(self) -> None:
        """Always there."""
