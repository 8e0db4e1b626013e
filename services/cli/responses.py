"""What the command line reads of the API's answers; other fields are kept, so `--json` shows them all."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Source(_Read):
    """Where a passage stands in its document."""

    page: int | None = None
    heading: tuple[str, ...] = ()


class Hit(_Read):
    """A passage found by a search."""

    document_id: str
    version: int
    title: str
    space: str
    text: str
    score: float
    source: Source
    current: bool = True


class SearchResult(_Read):
    """What a search found, best first."""

    results: tuple[Hit, ...]
    took_ms: dict[str, float]


class Citation(_Read):
    """One source of an answer; `quote` is verbatim."""

    marker: str
    document_id: str
    version: int
    title: str
    quote: str
    source: Source
    current: bool = True


class Answer(_Read):
    """An answer and its sources; `abstained` = the documents that this person may read do not say."""

    answer: str
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str | None = None
    conversation_id: str | None = None
    model: str | None = None
    experimental: bool = False


class Upload(_Read):
    """What became of an upload: a job to wait for, or nothing to do because the bytes are the same."""

    document_id: str
    version: int
    job_id: str | None = None
    unchanged: bool = False


class JobError(_Read):
    """Why a job, or its item, ended without being indexed."""

    code: str
    detail: str
    page: int | None = None


class Job(_Read):
    """A piece of long work. `done` of `total` counts the present stage's units; `eta` is in seconds."""

    id: str
    kind: str
    state: str
    stage: str
    done: int
    total: int
    eta: float | None = None
    error: JobError | None = None
    document_id: str | None = None
    created_at: datetime

    @property
    def ended(self) -> bool:
        """True once nothing will change any more."""
        return self.state in {"succeeded", "failed", "cancelled"}


class Document(_Read):
    """A document in a list. `sha256` is of the latest version's bytes; `source` is what it is kept in step with."""

    id: str
    external_id: str | None = None
    source: str | None = None
    title: str
    version: int
    sha256: str = ""


class HistoryVersion(_Read):
    """One version in a document's history."""

    number: int
    state: str
    current: bool
    origin: str
    based_on: int | None
    title: str
    created_by: str
    created_at: datetime
    comment: str | None


class Passage(_Read):
    """A passage of one of two versions that are compared."""

    text: str
    page: int | None
    heading: tuple[str, ...]


class Change(_Read):
    """One difference between two versions: `added`, `removed`, `changed` or `moved`."""

    kind: str
    before: Passage | None
    after: Passage | None


class Comparison(_Read):
    """All differences between two versions, and how many there are of each kind."""

    summary: dict[str, int]
    changes: tuple[Change, ...]
