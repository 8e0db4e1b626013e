"""Any chat service, through LangChain's chat models: OpenAI and what speaks like it, Azure, Anthropic, Google."""

from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.breaker import Breaker, Resting
from kbcore.llm.interface import AnswerPart, AnswerRequest, Message, Prompt, Usage
from kbcore.llm.prompt import answer_tokens, render
from kbcore.llm.providers import ChatService, asked_with, chat_model, errors_of
from kbcore.llm.reachable import require_server

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage


class LangChainModel:
    """`AnswerModel` over a chat service. The client is built at first use; the time-out is the longest silence allowed.

    Whatever goes wrong there (refused, too slow, too many requests, a cut or unreadable stream) raises `Unavailable`,
    whose text names this model and the kind of error, never its address or key. After some failures in a row it is
    left alone for a while (`Breaker`) and raises at once.
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
        if not self._breaker.lets_through():
            raise Resting(self._name)
        asked = asked_with(
            self._service.provider,
            temperature=request.temperature,
            max_tokens=answer_tokens(request, self._context_tokens),
            stop=request.stop,
        )
        prompt = [(message.role, message.content) for message in self.prompt(request).messages]
        usage, finish = Usage(), None
        for chunk in self._guarded(self._chat.bind(**asked).stream(prompt)):
            finish = _finish(chunk) or finish
            usage = _added(usage, chunk)
            if text := str(chunk.text):
                yield AnswerPart(text=text)
        if finish is None:
            self._breaker.failed()
            raise Unavailable(f"the model {self._name} stopped in the middle of its answer", code="model_unavailable")
        self._breaker.succeeded()
        yield AnswerPart(usage=usage, finish_reason=finish)

    def say(self, messages: Sequence[Message], *, max_tokens: int) -> str:
        """All that the model says, cut where it has said `max_tokens`."""
        if not self._breaker.lets_through():
            raise Resting(self._name)
        asked = asked_with(self._service.provider, temperature=0.0, max_tokens=max_tokens)
        prompt = [(message.role, message.content) for message in messages]
        said = "".join(str(chunk.text) for chunk in self._guarded(self._chat.bind(**asked).stream(prompt)))
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

    def _guarded(self, chunks: Iterator["AIMessage"]) -> Iterator["AIMessage"]:
        """The chunks, with everything that the vendor's client can raise turned into `Unavailable`."""
        try:
            yield from chunks
        except errors_of(self._service.provider) as error:
            self._breaker.failed()
            raise self._unavailable(error) from None

    def _unavailable(self, error: Exception) -> Unavailable:
        # The vendor's message may quote the address, the key or the prompt: only the kind of error is passed on.
        return Unavailable(f"the model {self._name} does not answer ({type(error).__name__})", code="model_unavailable")


def _finish(chunk: "AIMessage") -> str | None:
    """Why it ended, in OpenAI's words: the vendors call it by other names."""
    said = chunk.response_metadata.get("finish_reason") or chunk.response_metadata.get("stop_reason")
    return None if not said else "length" if str(said).lower() in {"length", "max_tokens"} else "stop"


def _added(usage: Usage, chunk: "AIMessage") -> Usage:
    """Some services count once at the end, some bit by bit."""
    counted = chunk.usage_metadata
    if counted is None:
        return usage
    return Usage(usage.prompt_tokens + counted["input_tokens"], usage.completion_tokens + counted["output_tokens"])
