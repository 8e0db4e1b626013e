"""What an evaluation reports: ids and figures. No text of a question or a document is in it."""

from dataclasses import dataclass

from services.evaluation.evidence import Weighing
from services.evaluation.judgeable import LeftOut
from services.evaluation.metrics import Figures
from services.evaluation.side import Shown


@dataclass(frozen=True, slots=True)
class SideReport:
    """One generation: mean figures, latency of its searches, and how many hits of its index the check in SQL refused.

    `leaks` counts documents that were shown although the independent check says that they may not be read.
    """

    generation: int
    index: str
    figures: Figures
    p50_ms: float
    p95_ms: float
    hits_refused: int
    leaks: int


@dataclass(frozen=True, slots=True)
class QuestionReport:
    """One question on both sides; `baseline` is None without one."""

    id: str
    figures: Figures
    baseline: Figures | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole. `drop` is what mean nDCG@10 lost against the baseline; `p_value` how likely chance alone does that.

    `questions` were judged; `unanswerable` others have no document that could be found, and count in no mean.
    `trials` counts the searches of the sample of (person, question); `refused_because` is None without a gate.
    """

    questions: int
    left_out: list[LeftOut]
    generation: SideReport
    baseline: SideReport | None
    drop: float | None
    p_value: float | None
    trials: int
    leaks: list[Shown]
    refused_because: list[str] | None
    per_question: list[QuestionReport]
    unanswerable: int = 0
    weighing: Weighing | None = None
