"""Shapes of `/v1/ask`, conversations and feedback."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.conversation import Citation, Conversation, SourceStatus, StaleSource, Turn
from kbcore.llm.interface import Usage
from services.api.schemas.answers import StaleShown
from services.api.schemas.names import Moment, Text
from services.api.schemas.search import AS_OF, EFFECTIVE_AT, Filters, SourceRef, parse_as_of
from services.query.answer import Answer, Retrieved
from services.query.conversation import Earlier
from services.query.found import Ranked
from services.query.request import AskRequest

_GONE = (SourceStatus.RETRACTED, SourceStatus.ERASED)


class AskBody(BaseModel):
    """A question."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "年假可以结转吗?", "stream": False}]}
    )

    question: Text = Field(description="In Chinese or English.")
    conversation_id: Text | None = Field(None, description="Continue this conversation; null = begin a new one.")
    spaces: list[Text] | None = Field(None, max_length=200, description="Ids or names of spaces; null = all.")
    filters: Filters = Filters()
    as_of: Text | None = Field(None, description=AS_OF)
    effective_at: Moment | None = Field(None, description=EFFECTIVE_AT)
    model: str | None = Field(None, description="An id of `/v1/models`; null or `zhiku` = routing decides.")
    stream: bool = Field(False, description="Answer as server-sent events.")

    def request(self, earlier: Earlier) -> AskRequest:
        """The same for the question path. Raises `Unprocessable`."""
        return AskRequest(
            question=self.question,
            narrowing=self.filters.narrowing(self.spaces),
            as_of=parse_as_of(self.as_of, self.effective_at),
            model=self.model,
            history=earlier.pairs,
            history_level=earlier.level,
            turn_ids=earlier.turn_ids,
            conversation_id=self.conversation_id,
        )


class CitationOut(BaseModel):
    """One source of an answer."""

    marker: str = Field(description="As it stands in the answer, such as `[1]`; each marker is one quote.")
    chunk_id: str
    document_id: str
    version: int
    title: str
    quote: str = Field(description="Exactly characters `source.start:source.end` of the stored text of that version.")
    source: SourceRef
    effective_from: datetime | None = Field(description="From when that version is in force; null = always.")
    effective_to: datetime | None
    current: bool = Field(description="Whether readers saw that version when the answer was given.")

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """The public shape of a citation."""
        return cls(
            marker=citation.marker,
            chunk_id=citation.chunk_id,
            document_id=citation.document_id,
            version=citation.version,
            title=citation.title,
            quote=citation.quote,
            source=SourceRef(
                uri=citation.uri,
                page=citation.page,
                heading=list(citation.heading),
                start=citation.start,
                end=citation.end,
            ),
            effective_from=citation.effective_from,
            effective_to=citation.effective_to,
            current=citation.current,
        )


class UsageOut(BaseModel):
    """Tokens as the model counts them; the embedding model's count where the answer is quoted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """With the sum."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        )


class AskAnswer(BaseModel):
    """An answer whose every statement is confirmed by a cited passage, or an honest "I don't know"."""

    answer: str
    citations: list[CitationOut]
    abstained: bool
    reason: str | None = Field(description="Why there is no answer, or `model_interrupted`.")
    conversation_id: str
    model: str = Field(description="What wrote the answer.")
    experimental: bool = Field(description="True if that is a weak model, whose words may be wrong although checked.")
    routed_because: str
    epoch: int
    as_of: datetime | None = Field(
        description="The moment whose state was asked about; null = the present, or an epoch that was named."
    )
    incomplete: list[str] = Field(
        description="With `as_of`: names of your spaces that have purged some of what stood then (retention)."
    )
    usage: UsageOut
    trace_id: str

    @classmethod
    def of(
        cls, answer: Answer, conversation_id: str, trace_id: str, incomplete: list[str], *, experimental: bool
    ) -> Self:
        """The public shape of a finished answer."""
        return cls(
            answer=answer.text,
            citations=[CitationOut.of(citation) for citation in answer.citations],
            abstained=answer.abstained,
            reason=answer.reason,
            conversation_id=conversation_id,
            model=answer.model,
            experimental=experimental,
            routed_because=answer.routed_because,
            epoch=answer.epoch,
            as_of=answer.as_of,
            incomplete=incomplete,
            usage=UsageOut.of(answer.usage),
            trace_id=trace_id,
        )


class Consulted(BaseModel):
    """A passage that the answer may be written from."""

    chunk_id: str
    document_id: str
    version: int
    title: str
    space: str
    score: float

    @classmethod
    def of(cls, item: Ranked) -> Self:
        """The public shape, without the text."""
        passage = item.passage
        return cls(
            chunk_id=passage.chunk_id,
            document_id=passage.document_id,
            version=passage.version,
            title=passage.title,
            space=passage.space,
            score=item.score,
        )


class RetrievalEvent(BaseModel):
    """Data of the event `retrieval`."""

    passages: list[Consulted]
    epoch: int
    trace_id: str

    @classmethod
    def of(cls, event: Retrieved, trace_id: str) -> Self:
        """The public shape."""
        found = event.found
        return cls(
            passages=[Consulted.of(item) for item in found.ranked], epoch=found.standpoint.epoch, trace_id=trace_id
        )


class TokenEvent(BaseModel):
    """Data of the event `token`: verified text, a statement at a time."""

    text: str


class TurnOut(BaseModel):
    """A question and its answer."""

    id: str
    question: str
    answer: str | None = Field(
        description="Null when a source of it may not be read any more, or was erased (`reason`)."
    )
    citations: list[CitationOut]
    abstained: bool
    reason: str | None = Field(
        description="Why there is no answer, `model_interrupted`, `access_withdrawn`, or `erased`: a source was erased."
    )
    model: str
    epoch: int
    trace_id: str
    created_at: datetime
    stale: list[StaleShown] = Field(
        description="Sources that were replaced, retracted or erased since; of a withheld answer only the last two."
    )

    @classmethod
    def of(cls, turn: Turn, stale: Sequence[StaleSource] = ()) -> Self:
        """The public shape of a turn."""
        told = [source for source in stale if turn.answer is not None or source.status in _GONE]
        return cls(
            id=turn.id,
            question=turn.question,
            answer=turn.answer,
            citations=[CitationOut.of(citation) for citation in turn.citations],
            abstained=turn.abstained,
            reason=turn.reason,
            model=turn.model,
            epoch=turn.epoch,
            trace_id=turn.trace_id,
            created_at=turn.created_at,
            stale=[StaleShown.of(source) for source in told],
        )


class ConversationOut(BaseModel):
    """A thread, without its turns."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """The public shape of a conversation."""
        return cls(
            id=conversation.id,
            title=conversation.title,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
        )


class ConversationWithTurns(ConversationOut):
    """A thread with its turns, oldest first, each checked again against today's rights."""

    turns: list[TurnOut]


class FeedbackBody(BaseModel):
    """What somebody thinks of an answer."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern="^[0-9a-f]{32}$", description="Of the answer that is meant.")
    rating: Literal[-1, 1]
    reason: Text | None = Field(None, max_length=100)
    comment: Text | None = Field(None, max_length=4000)
    complaint: bool = False


class FeedbackOut(BaseModel):
    """That it was stored."""

    id: str
