"""Shapes of the OpenAI-compatible routes: what their official clients send and read."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.errors import RequestError
from services.api.schemas.ask import CitationOut, UsageOut
from services.api.schemas.names import Text
from services.query.answer import Answer

FinishReason = Literal["stop", "length"]
UNSUPPORTED = "unsupported_parameter"

_UNLIKE_ASKED: Mapping[str, tuple[tuple[object, ...], str]] = {
    "n": ((1,), "`n` must be 1: there is one answer"),
    "tools": ((), "tools are not supported: answers come from documents"),
    "tool_choice": (("none", "auto"), "`tool_choice` must be none or auto: tools are not supported"),
    "functions": ((), "functions are not supported: answers come from documents"),
    "function_call": (("none", "auto"), "`function_call` must be none or auto: functions are not supported"),
    "response_format": (({"type": "text"},), "`response_format` must be text"),
    "modalities": ((["text"],), "`modalities` must be text"),
    "audio": ((), "audio is not supported"),
    "logprobs": ((), "`logprobs` are not supported: statements are checked, not weighed by tokens"),
    "top_logprobs": ((), "`top_logprobs` are not supported: statements are checked, not weighed by tokens"),
    "web_search_options": ((), "the web is not searched: answers come from documents"),
}
"""What would silently be answered differently from what was asked: the values that would not, besides empty ones."""


class ParameterError(RequestError):
    """What a parameter asks for cannot be given."""

    def __init__(self, parameter: str, detail: str, *, code: str = UNSUPPORTED) -> None:
        super().__init__(detail, code=code)
        self.parameter = parameter


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI says it."""

    message: str
    type: str
    param: str | None = Field(description="The field that is wrong.")
    code: str = Field(description="Stable machine word, as in `Problem`; 401 is `invalid_api_key`.")


class OpenAIErrorBody(BaseModel):
    """OpenAI's error response."""

    error: OpenAIError


class TextPart(BaseModel):
    """A piece of a message; only text is read."""

    type: str
    text: Text | None = None


class ChatMessage(BaseModel):
    """One message. Only what users and assistants say is used: the rules of answering are fixed, no tool is called."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[TextPart] | None = None

    def plain(self) -> str:
        """The text. Raises `ParameterError` for images, audio and files."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        if any(part.type not in ("text", "refusal") for part in self.content):
            raise ParameterError("messages", "messages may contain text only")
        return "".join(part.text or "" for part in self.content)


class StreamOptions(BaseModel):
    """Streaming options."""

    include_usage: bool | None = False


class ChatBody(BaseModel):
    """A chat completion request. Sampling parameters other than `temperature` are accepted and not used."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="An id of `/v1/models`; `zhiku` = routing decides.")
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(0.0, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, description="Most tokens of the answer; statements are not cut.")
    max_completion_tokens: int | None = Field(None, ge=1, description="The newer name of `max_tokens`.")
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the stream shall end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def refuse_unsupported(self) -> None:
        """Raise `ParameterError` for what would silently be answered differently from what was asked for."""
        for name, (meant, detail) in _UNLIKE_ASKED.items():
            asked = (self.model_extra or {}).get(name)
            if asked not in meant and (asked or (name == "n" and asked is not None)):
                raise ParameterError(name, detail)

    def thread(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The question (the last message, which must be a user's) and the earlier (question, answer) pairs."""
        said = [(message.role, message.plain()) for message in self.messages if message.role in ("user", "assistant")]
        spoken = [(role, text) for role, text in said if role == "user" or text]  # the rest called tools
        if self.messages[-1].role != "user":
            raise ParameterError("messages", "the last message must have the role `user`", code="invalid_messages")
        pairs = [
            (question, spoken[place + 1][1] if spoken[place + 1][0] == "assistant" else "")
            for place, (role, question) in enumerate(spoken[:-1])
            if role == "user"
        ]
        return spoken[-1][1], tuple(pairs)


class OwnFields(BaseModel):
    """What Zhiku says beside OpenAI's fields."""

    citations: list[CitationOut]
    abstained: bool
    reason: str | None = Field(description="Why there is no answer, or not all of it, as in `/v1/ask`.")
    answered_by: str = Field(description="What wrote the answer; `model` repeats what was asked for.")
    experimental: bool = Field(description="True if that is a weak model, whose words may be wrong although checked.")
    routed_because: str

    @classmethod
    def of(cls, answer: Answer, *, experimental: bool, **more: Any) -> Self:
        """Of a finished answer, with OpenAI's own fields."""
        return cls(
            citations=[CitationOut.of(citation) for citation in answer.citations],
            abstained=answer.abstained,
            reason=answer.reason,
            answered_by=answer.model,
            experimental=experimental,
            routed_because=answer.routed_because,
            **more,
        )


class AssistantMessage(OwnFields):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one choice."""

    index: int = 0
    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: None = None


class ChatCompletion(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Unix time in seconds.")
    model: str
    choices: list[Choice]
    usage: UsageOut


class RoleDelta(BaseModel):
    """What the first chunk adds."""

    role: Literal["assistant"] = "assistant"
    content: str = ""


class TextDelta(BaseModel):
    """What a chunk adds: a verified statement."""

    content: str


class ChunkChoice(BaseModel):
    """The one choice of a chunk; `OwnFields` come with the finish reason."""

    index: int = 0
    delta: RoleDelta | TextDelta | OwnFields
    finish_reason: FinishReason | None = None
    logprobs: None = None


class ChatChunk(BaseModel):
    """A piece of a streamed chat completion."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]


class ChatChunkOfUsage(ChatChunk):
    """The same where the usage was asked for: null in all chunks but the last, which has no choices."""

    usage: UsageOut | None = None


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "zhiku"
    experimental: bool = Field(default=False, description="True for a model whose answers are weak.")


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


class EmbeddingsBody(BaseModel):
    """Texts to embed. `input_type` is Zhiku's own: the model embeds questions and passages differently."""

    model: str
    input: Text | list[Text] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    input_type: Literal["passage", "query"] = "passage"

    def texts(self, limit: int) -> list[str]:
        """The texts. Raises `ParameterError` for token arrays, empty input, and more than `limit` texts."""
        given = [self.input] if isinstance(self.input, str) else list(self.input)
        texts = [text for text in given if isinstance(text, str) and text]
        if not given or not all(isinstance(text, str) for text in given):
            detail = "`input` must be a text or a list of texts; token ids are not read, for they are another model's"
            raise ParameterError("input", detail, code="invalid_input")
        if len(texts) != len(given):
            raise ParameterError("input", "`input` has an empty text", code="invalid_input")
        if len(texts) > limit:
            raise ParameterError("input", f"`input` has {len(texts)} texts; the limit is {limit}", code="invalid_input")
        return texts


class Embedding(BaseModel):
    """A vector: numbers, or base64 of float32 little-endian."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Tokens as the embedding model counts them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
