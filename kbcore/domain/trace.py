"""The path of one search or answer: what was asked, what was found, what was shown. Ids and places, no text of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TraceKind(StrEnum):
    """What was asked for."""

    SEARCH = "search"
    ASK = "ask"


class TraceOutcome(StrEnum):
    """How it ended."""

    FOUND = "found"  # a search
    ANSWERED = "answered"
    ABSTAINED = "abstained"
    FAILED = "failed"
    LEFT = "left"  # the client went away before the answer was complete


class ConflictKind(StrEnum):
    """In what two documents contradict each other."""

    NUMBERS = "numbers"  # amounts, deadlines, dates
    DENIAL = "denial"


class ConflictShown(StrEnum):
    """How an answer showed it."""

    CITED = "cited"  # the answer cites both sides by itself
    ADDED = "added"  # a notice stands below it
    LEFT_OUT = "left_out"  # no room under the client's own limits, or the answer broke off


@dataclass(frozen=True, slots=True)
class TracedConflict:
    """Two passages (chunk ids, the newer first) that contradict each other, and how that was shown."""

    kind: ConflictKind
    shown: ConflictShown
    chunks: tuple[str, str]


@dataclass(frozen=True, slots=True)
class TracedPassage:
    """A passage that the check let through: characters `start:end` of the stored text of that version.

    `taint` (0-1) is how much it looks like instructions to a model, `signs` why; looked for where an answer is written.
    """

    chunk_id: str
    document_id: str
    version: int
    start: int
    end: int
    score: float
    dense: float | None
    keyword: float | None
    rerank: float | None
    taint: float = 0.0
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompted:
    """What one model was asked. `sources` are the numbers (from 1) of the passages that it was to get, each text once;
    `context` those of them that had room; `conflict` the (number, day) of those that it was told to contradict each
    other. The hashes are SHA-256 in hex: of the exact messages, of the template."""

    model: str
    because: str
    prompt_hash: str
    template_hash: str
    sources: tuple[int, ...]
    context: tuple[int, ...]
    conflict: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """How an answer ended. `cited` are (chunk, document, version, start, end) of its quotes; times are milliseconds.

    `prompts` are the models asked, in order: where the first did not answer, the last one did. `dropped` counts the
    statements that the guard did not let pass, by fault; `masked` the personal data hidden from the model, by kind.
    `given_before` is the trace id of an earlier answer that was given again; no model was asked then.
    """

    outcome: TraceOutcome
    prompts: tuple[Prompted, ...] = ()
    reason: str | None = None
    error_code: str | None = None
    model: str | None = None
    routed_because: str | None = None
    cited: tuple[tuple[str, str, int, int, int], ...] = ()
    named: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str | None = None
    took_ms: float = 0.0
    dropped: Mapping[str, int] = field(default_factory=dict)
    masked: Mapping[str, int] = field(default_factory=dict)
    given_before: str | None = None
    conflict: TracedConflict | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One row. `asked` is the request beside the question: the asker's own words are in it, too (`standalone`, `stop`,
    `narrowing`), so that it is shown and erased with the question.

    `history` are the (turn, whether its answer was given to the model) of the conversation; None = the client sent the
    earlier messages itself, and they are not kept. `refused` are rows that the index named and the check did not let
    through; `legs` what each leg named. `answer` is None for a search, and while an answer is being written.
    """

    id: str
    trace_id: str
    user_id: str
    acting: str | None
    kind: TraceKind
    question: str
    asked: Mapping[str, Any]
    history: tuple[tuple[str, bool], ...] | None
    epoch: int
    at: datetime
    as_of_past: bool
    replaced_too: bool
    dated: bool
    generation_id: int | None
    embedding: str | None
    analyzer: str | None
    legs: Mapping[str, tuple[str, ...]]
    refused: tuple[str, ...]
    passages: tuple[TracedPassage, ...]
    took_ms: Mapping[str, float]
    answer: TracedAnswer | None = None
    created_at: datetime | None = field(default=None, compare=False)

    @property
    def documents(self) -> tuple[str, ...]:
        """The documents retrieved, each once, the best first."""
        return tuple(dict.fromkeys(passage.document_id for passage in self.passages))

    @property
    def refused_documents(self) -> tuple[str, ...]:
        """The documents of the rows refused, as far as their ids name one."""
        return tuple(dict.fromkeys(document for each in self.refused for document, _ in (document_of(each),)))


def document_of(chunk_id: str) -> tuple[str, int]:
    """Document and first version of a row, from its key; `("", 0)` for a key that is not ours."""
    document_id, _, rest = chunk_id.rpartition("-")
    document_id, _, version = document_id.rpartition("-")
    if document_id and version.isdecimal() and rest.isdecimal():
        return document_id, int(version)
    return "", 0
