"""What is asked of the question path."""

from dataclasses import dataclass, field
from enum import StrEnum

from kbcore.domain.document import Classification
from kbcore.metadata.standpoint import PRESENT, AsOf, Narrowing


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the question says, and what else it is called; the ids are those of the glossary entries that say so."""

    term: str
    others: tuple[str, ...]
    entry_ids: tuple[str, ...]


class Mode(StrEnum):
    """Which legs find candidates."""

    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. `as_of` asks for another state of the documents than the present one; rights are always today's.

    `generation_id` searches that index generation instead of the live one: for judging it before it goes live.
    `follow_up` says how the question was made to stand alone; `expansions` are filled in by the search itself.
    """

    query: str
    top_k: int
    mode: Mode = Mode.HYBRID
    narrowing: Narrowing = field(default_factory=Narrowing)
    as_of: AsOf = PRESENT
    rerank: bool = True
    generation_id: int | None = None
    follow_up: str | None = None
    expansions: tuple[Expansion, ...] = ()


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question. `history` are earlier (question, answer) pairs of the same conversation, oldest first; `turn_ids` say
    where they are kept, if they are (a client may send its own). `history_level` is the highest classification of what
    those answers rest on.

    `model` is a name from `/v1/models`; None or `zhiku` = routing decides.
    """

    question: str
    narrowing: Narrowing = field(default_factory=Narrowing)
    as_of: AsOf = PRESENT
    model: str | None = None
    history: tuple[tuple[str, str], ...] = ()
    turn_ids: tuple[str, ...] = ()
    history_level: Classification = Classification.PUBLIC
    conversation_id: str | None = None
    temperature: float = 0.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
