"""Thresholds from scores: what they keep, what they refuse, and that no question is judged by itself."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.evaluation.thresholds import (
    FOLDS,
    MIN_ANSWERABLE,
    MIN_UNANSWERABLE,
    Scored,
    auc,
    enough,
    threshold,
    without_itself,
)

SCORES = st.floats(-1, 2, allow_nan=False)
HUNDREDTHS = st.integers(-100, 200).map(lambda number: number / 100)


def scored(yes: list[float], no: list[float]) -> list[Scored]:
    return [
        *(Scored(f"y{place}", score, True) for place, score in enumerate(yes)),
        *(Scored(f"n{place}", score, False) for place, score in enumerate(no)),
    ]


@given(st.lists(SCORES, min_size=1, max_size=60), st.lists(SCORES, max_size=60), st.floats(0.01, 1))
def test_a_threshold_keeps_what_it_is_to_keep_of_what_it_was_fitted_on(
    yes: list[float], no: list[float], keep: float
) -> None:
    limit = threshold(scored(yes, no), keep)
    assert math.isfinite(limit)
    kept = sum(score >= limit for score in yes)
    assert kept >= 1
    assert kept / len(yes) >= keep - 1e-9


@given(st.lists(HUNDREDTHS, min_size=1, max_size=40), st.lists(HUNDREDTHS, max_size=40), st.floats(0.01, 1))
def test_no_threshold_that_keeps_as_much_refuses_more(yes: list[float], no: list[float], keep: float) -> None:
    refused = sum(score < threshold(scored(yes, no), keep) for score in no)
    for other in yes:
        if sum(score >= other for score in yes) / len(yes) >= keep:
            assert sum(score < other for score in no) <= refused


def test_it_stands_midway_between_what_is_kept_and_what_is_refused() -> None:
    rows = scored([0.9, 0.95, 1.0], [0.5, 0.8])
    assert threshold(rows, 1.0) == 0.85
    assert threshold(rows, 0.6) == math.floor((0.95 + 0.9) / 2 * 1e4) / 1e4
    assert threshold(scored([0.9], []), 0.97) == 0.9


@given(st.lists(SCORES, max_size=30), st.lists(SCORES, max_size=30))
def test_auc_is_the_share_of_pairs_in_order(yes: list[float], no: list[float]) -> None:
    found = auc(scored(yes, no))
    if not yes or not no:
        assert found is None
        return
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in yes for b in no]
    assert found is not None
    assert math.isclose(found, sum(pairs) / len(pairs))


@given(
    st.lists(SCORES, min_size=MIN_ANSWERABLE, max_size=50),
    st.lists(SCORES, min_size=MIN_UNANSWERABLE, max_size=50),
    st.floats(0.5, 1),
)
def test_the_question_itself_has_no_say_in_how_it_is_judged(yes: list[float], no: list[float], keep: float) -> None:
    rows = scored(yes, no)
    assert enough(rows)
    apart = without_itself(rows, keep)
    assert apart.keys() == {row.key for row in rows}
    assert all(math.isfinite(limit) for limit in apart.values())
    moved = [Scored(row.key, row.score + 5, row.answerable) if row.key == "y0" else row for row in rows]
    assert without_itself(moved, keep)["y0"] == apart["y0"]


def test_what_stems_from_one_question_is_left_out_together() -> None:
    rows = [
        Scored(f"q{place}", score, answerable)
        for place in range(30)
        for score, answerable in ((0.9, True), (0.5, False))
    ]
    apart = without_itself(rows, 1.0)
    moved = [Scored(row.key, row.score + 0.2 * (row.key == "q7"), row.answerable) for row in rows]
    assert without_itself(moved, 1.0)["q7"] == apart["q7"] == 0.7
    assert len(set(apart.values())) <= FOLDS


def test_few_questions_are_too_few() -> None:
    assert enough(scored([1.0] * MIN_ANSWERABLE, [0.0] * MIN_UNANSWERABLE))
    assert not enough(scored([1.0] * (MIN_ANSWERABLE - 1), [0.0] * 100))
    assert not enough(scored([1.0] * 100, [0.0] * (MIN_UNANSWERABLE - 1)))
    assert not enough([])
