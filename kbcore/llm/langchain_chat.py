"""Any chat service, through LangChain's chat models: OpenAI and what speaks like it, Azure, Anthropic, Google."""

import random
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.breaker import Breaker, Resting
from kbcore.llm.interface import AnswerPart, AnswerRequest, Message, Prompt, Usage
from kbcore.llm.prompt import answer_tokens, render
from kbcore.llm.providers import ChatService, asked_with, chat_model, errors_of, may_pass
from kbcore.llm.reachable import require_server

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage

_MOST_CHARS_OF_A_TOKEN = 16
"""On average over an answer: what says more does not keep to the number of tokens that it was given."""

_MOST_PAUSE_S = 0.5
"""Before a second try: those whom a server has failed together must not all come back together."""

_MOST_TOKENS = 100_000_000
"""That one answer can cost; what names more does not count tokens."""

_WITHHELD = frozenset(
    {"content_filter", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "abort", "error"}
    | {"tool_calls", "tool_use", "function_call"}  # none was offered
)
"""How vendors call an end that is not the answer's."""


class LangChainModel:
    """`AnswerModel` over a chat service. The client is built at first use; the time-out is the longest silence allowed.

    Whatever goes wrong there (refused, withheld, too slow, too many requests, a cut, empty or unreadable stream) raises
    `Unavailable`, whose text names this model and the kind of error, never its address or key. After some failures in a
    row it is left alone for a while (`Breaker`) and raises at once.
    """

    def __init__(
        self,
        name: str,
        service: ChatService,
        *,
        allowed: Classification,
        context_tokens: int,
        prompts: Path,
        breaker: Breaker,
        prompt: str = "answer",
    ) -> None:
        self._name = name
        self._service = service
        self._allowed = allowed
        self._context_tokens = context_tokens
        self._prompts = prompts
        self._prompt = prompt
        self._breaker = breaker

    @property
    def allowed(self) -> Classification:
        """As configured: `max_classification`."""
        return self._allowed

    @property
    def name(self) -> str:
        """As configured in `[[llm.models]]`."""
        return self._name

    def prompt(self, request: AnswerRequest) -> Prompt:
        """The messages that are sent."""
        return render(request, self._prompts, self._context_tokens, self._prompt)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """Stream the model's words; usage and finish reason come last."""
        tokens = answer_tokens(request, self._context_tokens)
        asked = asked_with(
            self._service.provider, temperature=request.temperature, max_tokens=tokens, stop=request.stop
        )
        usage, finish, length = None, None, 0
        with closing(self._asked(self.prompt(request).messages, asked)) as chunks:
            for chunk in chunks:
                finish = _finish(chunk) or finish
                usage = _added(usage, chunk)
                text = _readable(chunk)
                length += len(text)
                if length > tokens * _MOST_CHARS_OF_A_TOKEN:
                    finish = "length"
                    break
                if text:
                    yield AnswerPart(text=text)
        yield AnswerPart(usage=usage, finish_reason=self._ended(finish, length))

    def say(self, messages: Sequence[Message], *, max_tokens: int) -> str:
        """All that the model says, cut where it has said `max_tokens`."""
        said = ""
        asked = asked_with(self._service.provider, temperature=0.0, max_tokens=max_tokens)
        with closing(self._asked(messages, asked)) as chunks:
            for chunk in chunks:
                said += _readable(chunk)
                if len(said) > max_tokens * _MOST_CHARS_OF_A_TOKEN:
                    break
        self._breaker.succeeded()
        return said

    def ping(self) -> None:
        """Return unless it is given a rest or its server is away: asking costs money, so no question is sent for this.

        A vendor's own address is not looked at.
        """
        if self._breaker.open:
            raise Resting(self._name)
        if self._service.base_url:
            require_server(self._name, self._service.base_url)

    @cached_property
    def _chat(self) -> "BaseChatModel":
        return chat_model(self._service)

    def _asked(self, messages: Sequence[Message], asked: Mapping[str, Any]) -> Generator["AIMessage", None, None]:
        """The chunks of one answer; whatever the vendor's client can raise becomes `Unavailable`.

        What fails before the first of them is asked for once more, if that may help, after a moment of random length.
        """
        if not self._breaker.lets_through():
            raise Resting(self._name)
        prompt = [(message.role, message.content) for message in messages]
        begun = repeated = False
        while True:
            try:
                for chunk in self._chat.bind(**asked).stream(prompt):
                    begun = True
                    yield chunk
            except errors_of(self._service.provider) as error:
                if begun or repeated or not may_pass(error):
                    self._breaker.failed()
                    # The vendor's message may quote the address, the key or the prompt: only its kind is passed on.
                    raise self._unavailable(f"does not answer ({type(error).__name__})") from None
                repeated = True
                time.sleep(random.uniform(0.0, _MOST_PAUSE_S))  # noqa: S311 (no secret)
            except GeneratorExit:  # it was heard out no further, and had nothing wrong with it
                self._breaker.succeeded()
                raise
            else:
                return

    def _ended(self, finish: str | None, length: int) -> str:
        """Why the answer ended: `stop` or `length`. Raises `Unavailable` if it is not an answer."""
        if finish is None or not (length or finish in _WITHHELD):
            self._breaker.failed()
            raise self._unavailable("stopped in the middle of its answer" if finish is None else "said nothing")
        self._breaker.succeeded()
        if finish in _WITHHELD:
            raise self._unavailable(f"withheld its answer, or the rest of it ({finish})")
        return "length" if finish in {"length", "max_tokens"} else "stop"

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"the model {self._name} {what}", code="model_unavailable")


def _finish(chunk: "AIMessage") -> str | None:
    """Why it ended, in lower case; the vendors have other words for it."""
    said = chunk.response_metadata.get("finish_reason") or chunk.response_metadata.get("stop_reason")
    return str(said).lower() if said else None


def _readable(chunk: "AIMessage") -> str:
    """Its text as it can be stored and sent: half surrogate pairs become U+FFFD, NUL nothing."""
    text = str(chunk.text).replace("\0", "")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _added(usage: Usage | None, chunk: "AIMessage") -> Usage | None:
    """Some services count once at the end, some bit by bit, some not at all: then None."""
    counted = chunk.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
    read, written = _count(counted["input_tokens"]), _count(counted["output_tokens"])
    if not read and not written:
        return usage
    before = usage or Usage()
    return Usage(before.prompt_tokens + read, before.completion_tokens + written)


def _count(said: object) -> int:
    """A number of tokens that a service names; what cannot be one counts as none."""
    return said if isinstance(said, int) and 0 <= said <= _MOST_TOKENS else 0
