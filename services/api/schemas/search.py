"""Shapes of `/v1/search`."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.errors import Unprocessable
from kbcore.metadata.standpoint import AsOf, Narrowing
from services.api.schemas.names import Moment, Text, in_utc
from services.query.found import Found, Ranked
from services.query.request import Mode, SearchRequest

SNAPSHOT_PREFIX = "snapshot:"
EPOCH_PREFIX = "epoch:"
_MAX_EPOCH_DIGITS = 18

AS_OF = "An RFC 3339 time, `snapshot:NAME`, or `epoch:N` (an answer's `epoch`): the documents as they were then."
EFFECTIVE_AT = (
    "What was, or will be, in force then, as far as is known now (or was known at `as_of`): for rules with dates."
)


def parse_as_of(value: str | None, effective_at: datetime | None = None) -> AsOf:
    """What `as_of` names. Raises `Unprocessable` (`invalid_as_of`) for anything else, naming what is accepted."""
    if value is None:
        return AsOf(effective_at=effective_at)
    if value.startswith(SNAPSHOT_PREFIX):
        return AsOf(snapshot=value.removeprefix(SNAPSHOT_PREFIX), effective_at=effective_at)
    epoch = value.removeprefix(EPOCH_PREFIX)
    if epoch != value and epoch.isascii() and epoch.isdecimal() and len(epoch) <= _MAX_EPOCH_DIGITS:
        return AsOf(epoch=int(epoch), effective_at=effective_at)
    try:
        return AsOf(time=in_utc(datetime.fromisoformat(value)), effective_at=effective_at)
    except ValueError:
        raise Unprocessable(
            "`as_of` must be an RFC 3339 time with an offset, such as 2026-03-01T00:00:00Z, or `snapshot:NAME`, or "
            "`epoch:N`",
            code="invalid_as_of",
        ) from None


class Filters(BaseModel):
    """Narrows a search; everything that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    tags: list[Text] = Field([], max_length=50, description="The document has every one of these tags.")
    language: str | None = Field(None, pattern="^(zh|en)$", description="Language of the passage: `zh` or `en`.")
    metadata: dict[Text, Text | int | float | bool | list[Text] | None] = Field(
        {}, max_length=20, description="The document's metadata contains these keys with these values."
    )

    def narrowing(self, spaces: list[str] | None) -> Narrowing:
        """The same for the question path."""
        return Narrowing(
            spaces=None if spaces is None else tuple(spaces),
            tags=tuple(self.tags),
            language=self.language,
            metadata=self.metadata,
        )


class SearchBody(BaseModel):
    """A search request."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": "年假可以结转吗", "top_k": 8, "spaces": ["hr"]}]}
    )

    query: Text = Field(description="The question or keywords, in Chinese or English.")
    top_k: int = Field(8, ge=1, description="How many passages to return, at most `retrieval.max_top_k`.")
    mode: Mode = Field(Mode.HYBRID, description="Which legs search: both, vectors only, or keywords only.")
    spaces: list[Text] | None = Field(None, max_length=200, description="Ids or names of spaces; null = all.")
    filters: Filters = Filters()
    as_of: Text | None = Field(None, description=AS_OF)
    effective_at: Moment | None = Field(None, description=EFFECTIVE_AT)
    rerank: bool = Field(True, description="Let the reranker, if one is configured, reorder the results.")

    def request(self, max_top_k: int) -> SearchRequest:
        """The same for the question path. Raises `Unprocessable`."""
        if self.top_k > max_top_k:
            raise Unprocessable(f"`top_k` is {self.top_k}; the limit is {max_top_k}", code="top_k_too_large")
        return SearchRequest(
            query=self.query,
            top_k=self.top_k,
            mode=self.mode,
            narrowing=self.filters.narrowing(self.spaces),
            as_of=parse_as_of(self.as_of, self.effective_at),
            rerank=self.rerank,
        )


class Scores(BaseModel):
    """What each judge said; null = it was not asked."""

    dense: float | None = Field(description="Cosine of question and passage.")
    keyword: float | None = Field(description="Share of the question's term weight that the passage covers.")
    rerank: float | None = Field(description="The reranker's score.")


class SourceRef(BaseModel):
    """Where a passage stands in its document."""

    uri: str = Field(description="Path of the original file on this server.")
    page: int | None = Field(description="1-based; null where the format has no pages.")
    heading: list[str] = Field(description="Headings above the passage, outermost first.")
    start: int = Field(description="First character, in the stored text of that version.")
    end: int = Field(description="One past the last character.")


class Result(BaseModel):
    """A passage that the caller may read."""

    chunk_id: str
    document_id: str
    version: int
    title: str
    space: str = Field(description="The space's name.")
    text: str = Field(description="Exactly characters `source.start:source.end` of the stored text of that version.")
    score: float = Field(description="What the results are ordered by, higher is better.")
    scores: Scores
    source: SourceRef
    classification: str
    language: str
    effective_from: datetime | None
    effective_to: datetime | None
    current: bool = Field(description="Of the version that readers see now; false for one that has been replaced.")

    @classmethod
    def of(cls, item: Ranked) -> Self:
        """The public shape of a ranked passage."""
        passage = item.passage
        return cls(
            chunk_id=passage.chunk_id,
            document_id=passage.document_id,
            version=passage.version,
            title=passage.title,
            space=passage.space,
            text=passage.text,
            score=item.score,
            scores=Scores(dense=item.dense, keyword=item.keyword, rerank=item.rerank),
            source=SourceRef(
                uri=passage.uri,
                page=passage.page,
                heading=list(passage.heading),
                start=passage.start,
                end=passage.end,
            ),
            classification=passage.classification.word,
            language=passage.language,
            effective_from=passage.effective_from,
            effective_to=passage.effective_to,
            current=passage.current,
        )


class Took(BaseModel):
    """Milliseconds spent."""

    total: float
    embed: float = Field(description="The question's vector.")
    search: float = Field(description="Rights, epoch and statistics from SQL, and the vector index.")
    check: float = Field(description="Confirming every hit in SQL, and scoring.")


class SearchAnswer(BaseModel):
    """What a search found; an empty list is an ordinary answer."""

    results: list[Result]
    epoch: int = Field(description="The publication whose state was searched.")
    as_of: datetime | None = Field(
        description="The moment whose state was searched; null = the present, or an epoch that was named."
    )
    index: str | None = Field(description="Embedding model and index generation; null before the first publication.")
    incomplete: list[str] = Field(
        description="With `as_of`: names of your spaces that have purged some of what stood then (retention)."
    )
    took_ms: Took
    trace_id: str

    @classmethod
    def of(cls, found: Found, trace_id: str, incomplete: list[str]) -> Self:
        """The public shape of a finished search."""
        took, index = found.took, found.standpoint.index
        return cls(
            results=[Result.of(item) for item in found.ranked],
            epoch=found.standpoint.epoch,
            as_of=found.moment,
            index=None if index is None else index.label,
            incomplete=incomplete,
            took_ms=Took(
                total=round(took.total, 2),
                embed=round(took.embed, 2),
                search=round(took.search, 2),
                check=round(took.check, 2),
            ),
            trace_id=trace_id,
        )
