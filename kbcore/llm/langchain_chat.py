"""Any server that speaks OpenAI's chat API, through LangChain's chat model: vLLM, SGLang, Ollama, llama.cpp, OpenAI."""

from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kbcore.errors import Unavailable
from kbcore.llm.interface import AnswerPart, AnswerRequest, Prompt, Usage
from kbcore.llm.prompt import answer_tokens, render

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage

_RETRIES = 1
"""Before the first token only: a stream that has begun is never repeated."""


class LangChainModel:
    """`AnswerModel` over a chat server. The client is built at first use; `timeout_s` is the longest silence allowed.

    Whatever goes wrong there (refused, too slow, too many requests, a cut or unreadable stream) raises `Unavailable`,
    whose text names this model and the kind of error, never its address or key.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        base_url: str,
        api_key: str,
        context_tokens: int,
        timeout_s: float,
        prompts: Path,
    ) -> None:
        self._name = name
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._context_tokens = context_tokens
        self._timeout_s = timeout_s
        self._prompts = prompts

    @property
    def name(self) -> str:
        """As configured in `[[llm.models]]`."""
        return self._name

    def prompt(self, request: AnswerRequest) -> Prompt:
        """The messages that are sent."""
        return render(request, self._prompts, self._context_tokens)

    def answer(self, request: AnswerRequest) -> Generator[AnswerPart, None, None]:
        """Stream the model's words; usage and finish reason come last."""
        chat = self._chat.bind(
            temperature=request.temperature,
            max_tokens=answer_tokens(request, self._context_tokens),
            **({"stop": list(request.stop)} if request.stop else {}),
        )
        prompt = [(message.role, message.content) for message in self.prompt(request).messages]
        usage, finish = Usage(), None
        for chunk in self._guarded(chat.stream(prompt)):
            finish = chunk.response_metadata.get("finish_reason") or finish
            usage = _usage(chunk) or usage
            if text := str(chunk.text):
                yield AnswerPart(text=text)
        if finish is None:
            raise Unavailable(f"the model {self._name} stopped in the middle of its answer", code="model_unavailable")
        yield AnswerPart(usage=usage, finish_reason=finish)

    def ping(self) -> None:
        """Ask the server for its models."""
        import httpx  # noqa: PLC0415 (slow to import, rarely needed)

        headers = {"authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            httpx.get(f"{self._base_url.rstrip('/')}/models", headers=headers, timeout=5).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unavailable(error) from None

    @cached_property
    def _chat(self) -> "BaseChatModel":
        from langchain.chat_models import init_chat_model  # noqa: PLC0415 (2 s)

        return init_chat_model(
            self._model,
            model_provider="openai",
            base_url=self._base_url,
            api_key=self._api_key or "none",  # the client insists on one; servers without authentication ignore it
            timeout=self._timeout_s,
            max_retries=_RETRIES,
            stream_usage=True,
            use_responses_api=False,
        )

    def _guarded(self, chunks: Iterator["AIMessage"]) -> Iterator["AIMessage"]:
        """The chunks, with everything that the vendor's client can raise turned into `Unavailable`."""
        import openai  # noqa: PLC0415 (comes with the chat model)

        # Besides its own errors the client lets through what broken streams make of its parser (all measured).
        broken = (openai.OpenAIError, ValueError, TypeError, LookupError, AttributeError)
        try:
            yield from chunks
        except broken as error:
            raise self._unavailable(error) from None

    def _unavailable(self, error: Exception) -> Unavailable:
        # The vendor's message may quote the address, the key or the prompt: only the kind of error is passed on.
        return Unavailable(f"the model {self._name} does not answer ({type(error).__name__})", code="model_unavailable")


def _usage(chunk: "AIMessage") -> Usage | None:
    counted = chunk.usage_metadata
    if counted is None:
        return None
    return Usage(prompt_tokens=counted["input_tokens"], completion_tokens=counted["output_tokens"])
