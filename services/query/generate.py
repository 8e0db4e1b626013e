"""Generate: a model's words become verified statements, one at a time; nothing unverified leaves this file."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import structlog

from kbcore.errors import Unavailable
from kbcore.language.sentences import ends_sentence
from kbcore.llm.interface import NO_ANSWER, AnswerModel, AnswerPart, AnswerRequest, Usage
from services.query.abstain import ANSWER_UNSUPPORTED, NO_ANSWER_IN_SOURCES
from services.query.answer import Said
from services.query.cite import Citer
from services.query.statements import Statement, StatementCutter

INTERRUPTED = "model_interrupted"
"""The reason of an answer whose model failed after some of it had been shown."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outcome:
    """How the writing ended; filled in while `generate` runs."""

    text: str = ""
    usage: Usage | None = None
    finish_reason: str = "stop"
    failed: bool = False
    declined: bool = False
    remark: str = ""
    """What has to be said about how it was written, beside why this model was chosen."""

    def begin_again(self) -> None:
        """Forget what a model left behind that failed before anything was shown."""
        self.usage, self.finish_reason, self.declined = None, "stop", False

    @property
    def reason(self) -> str | None:
        """Why there is no answer, or not all of it."""
        if self.failed:
            return INTERRUPTED
        if self.text:
            return None
        return NO_ANSWER_IN_SOURCES if self.declined else ANSWER_UNSUPPORTED


def generate(
    model: AnswerModel,
    request: AnswerRequest,
    citer: Citer,
    count_tokens: Callable[[str], int],
    outcome: Outcome,
    passed: Callable[[Statement], str | None] = lambda statement: statement.text,
) -> Generator[Said, None, None]:
    """Yield what the model says and a passage confirms. `stop` and `max_tokens` hold for what is shown.

    `passed` is the guard's word on a statement: as it may be shown, or None.

    Raises `Unavailable` if the model fails before anything has been shown; later failures only end the answer.
    """
    limits = _Limits(request, count_tokens)
    parts = model.answer(replace(request, stop=()))
    try:
        for statement in _statements(parts, outcome):
            if statement.text == NO_ANSWER:
                outcome.declined = True
                continue
            allowed = passed(statement)
            cited = None if allowed is None else citer.cite(replace(statement, text=allowed))
            if cited is None:
                continue
            text, over = limits.cut(outcome.text, cited.text)
            if text:
                outcome.text += text
                yield Said(text, cited.new)
            if over:
                outcome.finish_reason = over
                return
    except Unavailable as error:
        if not outcome.text:
            raise
        outcome.failed = True
        _log.warning("model_interrupted", model=model.name, detail=error.detail)
    finally:
        parts.close()


def _statements(parts: Iterator[AnswerPart], outcome: Outcome) -> Iterator[Statement]:
    cutter = StatementCutter()
    for part in parts:
        if part.usage is not None:
            outcome.usage = part.usage
        if part.finish_reason == "length":
            outcome.finish_reason = "length"
        yield from cutter.feed(part.text)
    rest = cutter.end()
    if outcome.finish_reason == "length" and rest and not ends_sentence(rest[-1].text):
        rest.pop()  # half a statement may say the opposite of the whole one
    yield from rest


class _Limits:
    def __init__(self, request: AnswerRequest, count_tokens: Callable[[str], int]) -> None:
        self._stop = [word for word in request.stop if word]
        self._max_tokens = request.max_tokens
        self._count = count_tokens

    def cut(self, shown: str, text: str) -> tuple[str, str | None]:
        """What of `text` may follow `shown`, and the finish reason if that was the end; tokens cut no statement."""
        ends = [at for word in self._stop if (at := text.find(word)) >= 0]
        if ends:
            return text[: min(ends)], "stop"
        if self._max_tokens is not None and self._count(shown + text) > self._max_tokens:
            return "", "length"
        return text, None
