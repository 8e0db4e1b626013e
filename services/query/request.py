"""What is asked of the question path."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kbcore.metadata.standpoint import Narrowing


class Mode(StrEnum):
    """Which legs find candidates."""

    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. `as_of` asks for the state of the documents at that time; rights are always today's."""

    query: str
    top_k: int
    mode: Mode = Mode.HYBRID
    narrowing: Narrowing = field(default_factory=Narrowing)
    as_of: datetime | None = None
    rerank: bool = True


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question. `history` are earlier (question, answer) pairs of the same conversation, oldest first.

    `model` is a name from `/v1/models`; None or `zhiku` = routing decides.
    """

    question: str
    narrowing: Narrowing = field(default_factory=Narrowing)
    as_of: datetime | None = None
    model: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    temperature: float = 0.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
