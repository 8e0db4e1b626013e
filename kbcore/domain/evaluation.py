"""Golden sets and evaluations: questions whose relevant documents are known, and how well an index finds those."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_DROP = 0.02
"""How much mean nDCG@10 a generation may lose against the baseline, unless the gate says otherwise."""


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question, who asks it (with that person's rights), and the ids of the documents that answer it.

    Not `answerable`: whoever made the set says that nothing which its asker may read answers it. A question whose
    documents were all erased since has none either, and is not that.
    """

    id: str
    question: str
    user_id: str
    documents: tuple[str, ...]
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A named list of golden questions. It never changes: figures of one set can be compared."""

    id: str
    name: str
    questions: tuple[GoldenQuestion, ...]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Gate:
    """What a generation must reach: `min_ndcg` of mean nDCG@10 (None = no floor), and at most this drop."""

    min_ndcg: float | None = None
    max_drop: float = MAX_DROP

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Gate":
        """From JSON; other keys (the set's name, say) are ignored, missing ones have their defaults."""
        floor, drop = stored.get("min_ndcg"), stored.get("max_drop")
        return cls(None if floor is None else float(floor), MAX_DROP if drop is None else float(drop))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One measurement of a generation on a golden set.

    `passed` is None until it has finished, and without a gate. `report` holds ids and figures, never text; None until
    it has finished.
    """

    id: str
    golden_set_id: str
    golden_set: str
    generation_id: int
    baseline_id: int | None
    gate: Gate | None
    passed: bool | None
    report: Mapping[str, Any] | None
    job_id: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None
