"""What the stages of a search hand on to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kbcore.domain.chunk import Passage
from kbcore.metadata.standpoint import AsOf, Standpoint
from kbcore.vectors.interface import Vector
from services.query.understand.understood import NOTHING, Understood


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """The question as the index sees it: float32[dimension] (None if no dense leg is asked for) and IDF by term id."""

    dense: Vector | None
    terms: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the legs named, not yet believed, by leg too. `more` is true if a leg could name further rows."""

    chunk_ids: tuple[str, ...]
    more: bool
    legs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A confirmed passage and its scores.

    `dense` is a cosine, `keyword` the share of the question's IDF that the passage covers (0-1); None = not computed.
    `score` orders the results: the reranker's where one ran, else the fused one.
    """

    passage: Passage
    score: float
    dense: float | None
    keyword: float | None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds. `check` includes fusion and reranking is in `total` only."""

    total: float
    embed: float
    search: float
    check: float

    def __add__(self, other: "Timings") -> "Timings":
        return Timings(
            self.total + other.total, self.embed + other.embed, self.search + other.search, self.check + other.check
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A finished search. `refused_ids` are the index's hits that the check in SQL did not confirm."""

    ranked: tuple[Ranked, ...]
    standpoint: Standpoint
    as_of: AsOf
    took: Timings = field(compare=False)
    legs: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    refused_ids: tuple[str, ...] = field(default=(), compare=False)
    understood: Understood = field(default=NOTHING, compare=False)

    @property
    def refused(self) -> int:
        """How many hits the check did not confirm."""
        return len(self.refused_ids)

    @property
    def moment(self) -> datetime | None:
        """The moment asked about, as the asker may know it; None = the present, and where an epoch is named.

        When an epoch was published is not told: it may have been a publication of documents that the asker cannot see.
        """
        if self.as_of.present or (self.as_of.epoch is not None and self.as_of.effective_at is None):
            return None
        return self.standpoint.at
