"""The gate: what keeps a generation from going live. Every reason counts alone; none = it may pass."""

from kbcore.domain.evaluation import Gate, GoldenSet
from kbcore.errors import Unprocessable

MIN_QUESTIONS = 5
"""A mean of fewer questions says nothing that a gate could rest on."""

_ROUNDING = 1e-9


def require_judgeable(golden: GoldenSet) -> None:
    """Raises `Unprocessable` (`golden_set_too_small`) for a set that no gate can rest on."""
    answerable = sum(question.answerable for question in golden.questions)
    if answerable < MIN_QUESTIONS:
        raise Unprocessable(
            f"The golden set {golden.name!r} has {answerable} questions with an answer; a gate needs {MIN_QUESTIONS}.",
            code="golden_set_too_small",
        )


def reasons_to_refuse(gate: Gate, *, questions: int, leaks: int, ndcg: float, drop: float | None) -> list[str]:
    """Why the gate stays shut: `leak`, `too_few_questions`, `below_min_ndcg`, `drop`; empty = open.

    `questions` could be judged, `ndcg` is the mean nDCG@10, and `drop` what it lost against the baseline, if there was
    one. Whether a drop is significant is reported and does not count (docs/decisions/0017-evaluation-and-gate.md).
    """
    reasons = {
        "leak": leaks > 0,
        "too_few_questions": questions < MIN_QUESTIONS,
        "below_min_ndcg": gate.min_ndcg is not None and ndcg < gate.min_ndcg - _ROUNDING,
        "drop": drop is not None and drop > gate.max_drop + _ROUNDING,
    }
    return [reason for reason, holds in reasons.items() if holds]
