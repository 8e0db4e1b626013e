"""A threshold from the scores of questions with an answer and of questions without one; higher scores are kept."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOLDS = 50
"""Many, for a threshold of few questions hangs on single ones: up to 50, each is judged by all the others."""

MIN_ANSWERABLE = 20
MIN_UNANSWERABLE = 10
"""With fewer of either kind a threshold would rest on single questions, and none is proposed."""

_STEPS = 10_000
"""Thresholds have four digits: these scores differ in the second and third."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One score. `key` names the question: what stems from one question is left out together in cross-validation."""

    key: str
    score: float
    answerable: bool


def enough(scored: Sequence[Scored]) -> bool:
    """Whether a threshold can be proposed at all."""
    answerable = sum(each.answerable for each in scored)
    return answerable >= MIN_ANSWERABLE and len(scored) - answerable >= MIN_UNANSWERABLE


def auc(scored: Sequence[Scored]) -> float | None:
    """The chance that a question with an answer scores higher than one without; None if there are none of a kind."""
    yes = np.array([each.score for each in scored if each.answerable])
    no = np.sort([each.score for each in scored if not each.answerable])
    if not yes.size or not no.size:
        return None
    below, not_above = (np.searchsorted(no, yes, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * no.size))


def threshold(scored: Sequence[Scored], keep: float) -> float:
    """What refuses the most while at least `keep` (0 to 1) of the answerable questions, at least one, reach it.

    Midway to the next lower score, for that changes nothing here and errs to neither side elsewhere; rounded down.
    """
    yes = sorted(each.score for each in scored if each.answerable)
    lowest = yes[min(math.floor(len(yes) * (1 - keep) + 1e-9), len(yes) - 1)]
    below = max((each.score for each in scored if each.score < lowest), default=lowest)
    return math.floor((lowest + below) / 2 * _STEPS) / _STEPS


def without_itself(scored: Sequence[Scored], keep: float) -> dict[str, float]:
    """By question the threshold that those outside of its fold give: what an honest judgement of it rests on."""
    answerable = {each.key for each in scored if each.answerable}
    keys = [*sorted(answerable), *sorted({each.key for each in scored} - answerable)]
    folds = min(FOLDS, len(keys))
    fold = {key: place % folds for place, key in enumerate(keys)}
    fitted = [threshold([each for each in scored if fold[each.key] != number], keep) for number in range(folds)]
    return {key: fitted[number] for key, number in fold.items()}
