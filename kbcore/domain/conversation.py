"""What people ask and what they were answered."""

from dataclasses import dataclass
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of turns that belongs to one user."""

    id: str
    user_id: str
    title: str
    created_at: datetime
    updated_at: datetime
