"""What people ask and what they were answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Citation:
    """One source of an answer. `quote` is exactly characters `start:end` of the stored text of that version.

    `current`: readers saw that version when the answer was given.
    """

    marker: str
    chunk_id: str
    document_id: str
    version: int
    title: str
    quote: str
    uri: str
    page: int | None
    heading: tuple[str, ...]
    start: int
    end: int
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    current: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer. `answer` is None when a cited passage may no longer be read by the asker."""

    id: str
    conversation_id: str
    question: str
    answer: str | None
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str | None
    model: str
    epoch: int
    trace_id: str
    created_at: datetime


class SourceStatus(StrEnum):
    """What has become of a version that an answer cites."""

    CURRENT = "current"  # every quote still stands in the version in force
    REPLACED = "replaced"  # the version in force says something else
    RETRACTED = "retracted"  # nothing of the document is in force: deleted, or out of its dates
    ERASED = "erased"  # the document is physically gone


@dataclass(frozen=True, slots=True)
class StaleSource:
    """A cited version that is no longer current; `current_version` is the one in force, None if none is."""

    document_id: str
    version: int
    status: SourceStatus
    current_version: int | None


@dataclass(frozen=True, slots=True)
class BuiltAnswer:
    """That an answer cites a version of a document: who asked when, and what has become of the version. No text."""

    turn_id: str
    trace_id: str
    asked_by: str
    asked_at: datetime
    version: int
    status: SourceStatus


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of turns that belongs to one user."""

    id: str
    user_id: str
    title: str
    created_at: datetime
    updated_at: datetime
