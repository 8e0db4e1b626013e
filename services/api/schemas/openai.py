"""Shapes of the OpenAI-compatible routes: what their official clients send and read."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kbcore.errors import RequestError
from services.api.schemas.ask import CitationOut, UsageOut
from services.api.schemas.names import Text

FinishReason = Literal["stop", "length"]
UNSUPPORTED = "unsupported_parameter"


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
    """One message. `system` and `developer` messages are accepted and not used: the rules of answering are fixed."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart] | None = None

    def plain(self) -> str:
        """The text. Raises `RequestError` for images, audio and files."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        if any(part.type != "text" for part in self.content):
            raise RequestError("messages may contain text only", code=UNSUPPORTED)
        return "".join(part.text or "" for part in self.content)


class StreamOptions(BaseModel):
    """Streaming options."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """A chat completion request. Sampling parameters other than `temperature` are accepted and not used."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="An id of `/v1/models`; `zhiku` = routing decides.")
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, description="Most tokens of the answer; statements are not cut.")
    max_completion_tokens: int | None = Field(None, ge=1, description="The newer name of `max_tokens`.")
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    n: int = 1
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None

    def refuse_unsupported(self) -> None:
        """Raise `RequestError` for what would silently be answered differently from what was asked for."""
        if self.tools or self.functions:
            raise RequestError("tools and functions are not supported: answers come from documents", code=UNSUPPORTED)
        if self.n != 1:
            raise RequestError("`n` must be 1: there is one answer", code=UNSUPPORTED)
        if self.response_format and self.response_format.get("type") != "text":
            raise RequestError("`response_format` must be text", code=UNSUPPORTED)

    def thread(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The question (the last message, which must be a user's) and the earlier (question, answer) pairs."""
        spoken = [(message.role, message.plain()) for message in self.messages if message.role in ("user", "assistant")]
        if not spoken or spoken[-1][0] != "user":
            raise RequestError("the last message must have the role `user`", code="invalid_messages")
        pairs = [
            (question, spoken[place + 1][1] if spoken[place + 1][0] == "assistant" else "")
            for place, (role, question) in enumerate(spoken[:-1])
            if role == "user"
        ]
        return spoken[-1][1], tuple(pairs)


class AssistantMessage(BaseModel):
    """The answer; `citations` is Zhiku's own."""

    role: Literal["assistant"] = "assistant"
    content: str
    citations: list[CitationOut]


class Choice(BaseModel):
    """The one choice."""

    index: int = 0
    message: AssistantMessage
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="Unix time in seconds.")
    model: str
    choices: list[Choice]
    usage: UsageOut


class Delta(BaseModel):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    citations: list[CitationOut] | None = None


class ChunkChoice(BaseModel):
    """The one choice of a chunk."""

    index: int = 0
    delta: Delta
    finish_reason: FinishReason | None = None


class ChatChunk(BaseModel):
    """A piece of a streamed chat completion."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
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
        """The texts. Raises `RequestError` for token arrays, empty input, and more than `limit` texts."""
        given = [self.input] if isinstance(self.input, str) else list(self.input)
        texts = [text for text in given if isinstance(text, str) and text]
        if not texts or len(texts) != len(given):
            raise RequestError("`input` must be a text or a list of texts, none of them empty", code="invalid_input")
        if len(texts) > limit:
            raise RequestError(f"`input` has {len(texts)} texts; the limit is {limit}", code="invalid_input")
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
