"""What the tools take and give. `search` and `fetch` have the shapes that ChatGPT's and Claude's connectors expect."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.names import Text
from services.api.schemas.search import AS_OF

_SPACES = "Ids or names of spaces to look in; null = all that you may read."


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchArguments(_Arguments):
    """Of `search`."""

    query: Text = Field(description="The question or keywords, in Chinese or English.")
    spaces: list[Text] | None = Field(None, max_length=200, description=_SPACES)
    top_k: int = Field(8, ge=1, description="How many passages to return.")
    as_of: Text | None = Field(None, description=AS_OF)
    mode: Literal["hybrid", "dense", "keyword"] = Field(
        "hybrid", description="Meaning and words, meaning only, or words only."
    )


class FetchArguments(_Arguments):
    """Of `fetch`."""

    id: Text = Field(description="An `id` of `search` or `ask`, a `metadata.next`, or the id of a document.")


class AskArguments(_Arguments):
    """Of `ask`."""

    question: Text = Field(description="In Chinese or English.")
    spaces: list[Text] | None = Field(None, max_length=200, description=_SPACES)
    as_of: Text | None = Field(None, description=AS_OF)
    conversation_id: Text | None = Field(None, description="Continue this conversation; null = begin a new one.")


class Dates(BaseModel):
    """Which version something is of, and when that is in force."""

    document_id: str
    version: int
    effective_from: datetime | None = Field(description="From when the version is in force; null = always.")
    effective_to: datetime | None = Field(description="Until when; null = for good.")
    current: bool = Field(description="Whether it is the version that readers see now.")


class HitMetadata(Dates):
    """More about a passage that was found."""

    space: str
    page: int | None = Field(description="1-based; null where the format has no pages.")
    heading: list[str] = Field(description="Headings above the passage, outermost first.")
    score: float = Field(description="What the results are ordered by, higher is better.")


class Hit(BaseModel):
    """A passage that was found."""

    id: str = Field(description="For `fetch`.")
    title: str
    url: str = Field(description="The document's original file; needs the same key.")
    text: str = Field(description="The passage.")
    metadata: HitMetadata


class SearchResults(BaseModel):
    """Of `search`; none found is an ordinary answer."""

    results: list[Hit]
    epoch: int = Field(description='What was searched; `as_of: "epoch:N"` searches exactly that again.')
    incomplete: list[str] = Field(description="Spaces that have purged some of what stood at `as_of`.")
    trace_id: str


class FetchedMetadata(Dates):
    """Which part of which version was fetched."""

    space: str
    start: int = Field(description="First character, in the stored text of that version.")
    end: int = Field(description="One past the last character.")
    length: int = Field(description="Characters of the whole text.")
    next: str | None = Field(description="The id of what follows; null at the end of the text.")


class Fetched(BaseModel):
    """Of `fetch`."""

    id: str
    title: str
    text: str
    url: str = Field(description="The document's original file; needs the same key.")
    metadata: FetchedMetadata


class Source(Dates):
    """A quote that an answer rests on."""

    marker: str = Field(description="As it stands in the answer, such as `[1]`.")
    id: str = Field(description="For `fetch`.")
    title: str
    url: str = Field(description="The document's original file; needs the same key.")
    quote: str


class Answered(BaseModel):
    """Of `ask`: every statement is confirmed by a quote, or `abstained` is true."""

    answer: str
    citations: list[Source]
    abstained: bool
    reason: str | None = Field(description="Why there is no answer, or `model_interrupted`.")
    conversation_id: str
    model: str = Field(description="What wrote the answer.")
    experimental: bool = Field(description="True if that is a weak model, whose words may be wrong although checked.")
    routed_because: str
    epoch: int
    incomplete: list[str] = Field(description="Spaces that have purged some of what stood at `as_of`.")
    trace_id: str
