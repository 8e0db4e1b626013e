"""What the server answers, as values. Fields that this client does not know are left out, so that servers may add some.

`read` of each class raises `KeyError`, `TypeError` or `ValueError` for what is not its JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text stands: characters `start:end` of the stored text of that version. `url` is the original file."""

    url: str
    page: int | None
    heading: tuple[str, ...]
    start: int
    end: int

    @classmethod
    def read(cls, given: Json, base_url: str) -> Self:
        """From JSON."""
        return cls(
            base_url + given["uri"], given["page"], tuple(given["heading"]), int(given["start"]), int(given["end"])
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found. `score` is what the results are ordered by; `scores` what each judge said (or None)."""

    chunk_id: str
    document_id: str
    version: int
    title: str
    space: str
    text: str
    score: float
    scores: Mapping[str, float | None]
    source: Source
    classification: str
    language: str
    effective_from: datetime | None
    effective_to: datetime | None
    current: bool

    @classmethod
    def read(cls, given: Json, base_url: str) -> Self:
        """From JSON."""
        return cls(
            chunk_id=given["chunk_id"],
            document_id=given["document_id"],
            version=int(given["version"]),
            title=given["title"],
            space=given["space"],
            text=given["text"],
            score=float(given["score"]),
            scores=dict(given["scores"]),
            source=Source.read(given["source"], base_url),
            classification=given["classification"],
            language=given["language"],
            effective_from=_moment(given["effective_from"]),
            effective_to=_moment(given["effective_to"]),
            current=bool(given["current"]),
        )


@dataclass(frozen=True, slots=True)
class SearchResults:
    """Best first. `as_of=f"epoch:{epoch}"` searches exactly the same state again."""

    passages: tuple[Passage, ...]
    epoch: int
    trace_id: str
    incomplete: tuple[str, ...] = ()

    @classmethod
    def read(cls, given: Json, base_url: str) -> Self:
        """From JSON."""
        passages = tuple(Passage.read(each, base_url) for each in given["results"])
        return cls(passages, int(given["epoch"]), given["trace_id"], tuple(given.get("incomplete", ())))


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that an answer rests on. `marker` stands in the answer, such as `[1]`."""

    marker: str
    chunk_id: str
    document_id: str
    version: int
    title: str
    quote: str
    source: Source
    current: bool

    @classmethod
    def read(cls, given: Json, base_url: str) -> Self:
        """From JSON."""
        return cls(
            marker=given["marker"],
            chunk_id=given["chunk_id"],
            document_id=given["document_id"],
            version=int(given["version"]),
            title=given["title"],
            quote=given["quote"],
            source=Source.read(given["source"], base_url),
            current=bool(given["current"]),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; if the documents don't tell, `abstained` is true and `reason` says why.

    `experimental`: a weak model wrote it, whose words may be wrong although checked.
    """

    text: str
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str | None
    conversation_id: str
    model: str
    epoch: int
    trace_id: str
    incomplete: tuple[str, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    experimental: bool = False

    @classmethod
    def read(cls, given: Json, base_url: str) -> Self:
        """From JSON."""
        return cls(
            text=given["answer"],
            citations=tuple(Citation.read(each, base_url) for each in given["citations"]),
            abstained=bool(given["abstained"]),
            reason=given["reason"],
            conversation_id=given["conversation_id"],
            model=given["model"],
            epoch=int(given["epoch"]),
            trace_id=given["trace_id"],
            incomplete=tuple(given.get("incomplete", ())),
            usage=dict(given.get("usage", {})),
            experimental=bool(given.get("experimental", False)),
        )


@dataclass(frozen=True, slots=True)
class Retrieval:
    """First of a stream: the documents (ids) that the answer may be written from."""

    document_ids: tuple[str, ...]
    epoch: int
    trace_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """Verified text, a statement at a time."""

    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A source, when the text first uses it."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class Done:
    """Last of a stream: the whole answer."""

    answer: Answer


AskEvent = Retrieval | Token | Cited | Done


def read_event(name: str, given: Json, base_url: str) -> AskEvent | None:
    """An event of the stream; None for one that this client does not know."""
    match name:
        case "retrieval":
            documents = dict.fromkeys(each["document_id"] for each in given["passages"])
            return Retrieval(tuple(documents), int(given["epoch"]), given["trace_id"])
        case "token":
            return Token(given["text"])
        case "citation":
            return Cited(Citation.read(given, base_url))
        case "done":
            return Done(Answer.read(given, base_url))
        case _:
            return None


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
