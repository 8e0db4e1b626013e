"""Answer generation: from a question and numbered passages to text with [n] markers."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Source:
    """A passage as the model sees it. `number` is cited as `[number]`; `score` is its relevance, 0–1."""

    number: int
    title: str
    text: str
    heading: tuple[str, ...]
    score: float
    language: str


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Everything a model gets. `language` (`zh`, `en`) is the question's; `history` are (question, answer) pairs."""

    question: str
    language: str
    sources: Sequence[Source]
    history: Sequence[tuple[str, str]] = ()
    temperature: float = 0.0
    max_tokens: int | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model counts them; 0 where no model ran."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """A piece of the answer's text, in order; `usage` comes with the last one."""

    text: str = ""
    usage: Usage | None = None
    finish_reason: str | None = field(default=None)


class AnswerModel(Protocol):
    """Writes an answer from the sources alone. What it says is verified afterwards, never believed."""

    @property
    def name(self) -> str:
        """As shown in `/v1/models` and in the answer's `model`."""

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """Stream the answer; closing the generator stops the model. Raises `Unavailable`.

        An answer that is exactly `NO_ANSWER` means: the sources don't say.
        """

    def ping(self) -> None:
        """Return if the model answers, raise `Unavailable` if not."""


NO_ANSWER = "NO_ANSWER"
"""What a model writes when the sources do not contain the answer."""
