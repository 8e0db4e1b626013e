"""Answer generation: from a question and numbered passages to text with [n] markers."""

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from kbcore.domain.document import Classification


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
    """Everything a model gets. `language` (`zh`, `en`) is the question's; `history` are (question, answer) pairs.

    `focus` is a follow-up as it was asked, empty for a question that stood alone: what it says itself is what is new.
    `searched` is the question as it was searched, with what else its words are called: to compare sentences with. No
    prompt has it.
    `conflict` are the (number, day as 2026-01-31 or "") of two sources that contradict each other, the newer one first.
    `memo` is one for all copies of a request: what was worked out for it (see `kbcore.llm.ranking`).
    """

    question: str
    language: str
    sources: Sequence[Source]
    history: Sequence[tuple[str, str]] = ()
    temperature: float = 0.0
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    focus: str = ""
    searched: str = ""
    conflict: tuple[tuple[int, str], ...] = ()
    memo: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads. `numbers` are the sources in it; `template_hash` (SHA-256, hex) is of its fixed text."""

    messages: tuple[Message, ...]
    numbers: tuple[int, ...]
    template_hash: str

    @property
    def hash(self) -> str:
        """SHA-256, hex, of the messages as JSON `[[role, content], …]` in UTF-8."""
        text = json.dumps([[each.role, each.content] for each in self.messages], ensure_ascii=False)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


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

    @property
    def allowed(self) -> Classification:
        """The highest classification of text that may be sent to it."""

    def prompt(self, request: AnswerRequest) -> Prompt:
        """What `answer` reads for this request; calls no model."""

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """Stream the answer; closing the generator stops the model. Raises `Unavailable`.

        An answer that is exactly `NO_ANSWER` means: the sources don't say.
        """

    def ping(self) -> None:
        """Return if the model can be asked, raise `Unavailable` if not; asks it nothing, takes a second at most."""


@dataclass(frozen=True, slots=True)
class Weakness:
    """How far a model is trusted. `quotes_below`: its words are never shown without the documents' own below them."""

    experimental: bool = False
    quotes_below: bool = False


@runtime_checkable
class Chatting(Protocol):
    """A model that can be told anything, not only be asked for answers."""

    def say(self, messages: Sequence[Message], *, max_tokens: int) -> str:
        """All that the model says to these messages, at temperature 0. Raises `Unavailable`."""


NO_ANSWER = "NO_ANSWER"
"""What a model writes when the sources do not contain the answer."""
