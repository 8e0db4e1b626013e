"""Figures and p-values against values worked out by hand."""

import subprocess
import sys
from itertools import product
from math import log2

import pytest

from kbcore.domain.evaluation import Gate
from services.evaluation.gate import reasons_to_refuse
from services.evaluation.metrics import Figures, figures_of, mean, percentile, sign_flip_p


def test_figures_by_hand() -> None:
    ranked = {
        "first": ["a", "x", "y"],
        "third": ["x", "y", "a", "b"],
        "sixth": ["1", "2", "3", "4", "5", "a"],
        "eleventh": [str(number) for number in range(10)] + ["a"],
        "nothing": [],
    }
    relevant = {key: ["a", "b"] if key == "third" else ["a"] for key in ranked}
    found = figures_of(relevant, ranked)
    assert found["first"] == Figures(1.0, 1.0, 1.0, 1.0)
    ideal = 1 + 1 / log2(3)
    assert found["third"].ndcg_10 == pytest.approx((1 / log2(4) + 1 / log2(5)) / ideal)
    assert (found["third"].recall_5, found["third"].mrr) == (1.0, pytest.approx(1 / 3))
    assert found["sixth"].ndcg_10 == pytest.approx(1 / log2(7))
    assert (found["sixth"].recall_5, found["sixth"].recall_10) == (0.0, 1.0)
    assert found["eleventh"] == Figures(0.0, 0.0, 0.0, pytest.approx(1 / 11))
    assert found["nothing"] == Figures(0.0, 0.0, 0.0, 0.0)


def test_a_question_without_a_ranking_counts_as_zero() -> None:
    assert figures_of({"asked": ["a"], "lost": ["a"]}, {"asked": ["a"]})["lost"] == Figures(0.0, 0.0, 0.0, 0.0)
    assert mean([Figures(1, 1, 1, 1), Figures(0, 0.5, 1, 0)]) == Figures(0.5, 0.75, 1, 0.5)
    assert mean([]) == Figures(0.0, 0.0, 0.0, 0.0)


def test_the_order_decides_not_the_names() -> None:
    assert figures_of({"q": ["b"]}, {"q": ["b", "a"]})["q"].mrr == 1.0
    assert figures_of({"q": ["b"]}, {"q": ["a", "b"]})["q"].mrr == 0.5


@pytest.mark.parametrize(
    "differences", [[0.3], [0.1, -0.2, 0.4], [0.2, 0.2, 0.2, 0.2, 0.2, 0.2], [0.5, -0.5], [0.0, 0.1]]
)
def test_p_values_are_those_of_every_assignment_of_signs(differences: list[float]) -> None:
    observed = abs(sum(differences))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    assert sign_flip_p(differences) == pytest.approx(sum(value >= observed - 1e-12 for value in sums) / len(sums))


def test_p_values_of_many_differences_are_drawn_the_same_way_each_time() -> None:
    mixed = [(-1) ** number * 0.1 for number in range(40)]
    assert sign_flip_p(mixed) == sign_flip_p(mixed) > 0.9
    assert sign_flip_p([0.1] * 40) == pytest.approx(1 / 10_001)
    assert sign_flip_p([]) == sign_flip_p([0.0] * 20) == 1.0


def test_scipy_is_not_needed() -> None:
    """requirements.lock leaves it out (0.14 GB), though pytrec-eval names it as a dependency."""
    script = "import sys; sys.modules['scipy'] = None; from services.evaluation.metrics import figures_of as f;"
    asked = f"{script} print(f({{'q': ['a']}}, {{'q': ['a']}})['q'].ndcg_10)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\n"


def test_percentiles_are_interpolated() -> None:
    assert percentile([4.0, 1.0, 2.0, 3.0], 0.5) == 2.5
    assert percentile([], 0.95) == 0.0


@pytest.mark.parametrize(
    ("questions", "leaks", "ndcg", "drop", "reasons"),
    [
        (5, 0, 0.8, 0.02, []),
        (5, 0, 0.8, None, []),
        (5, 0, 0.9, -0.5, []),
        (5, 0, 0.8, 0.0201, ["drop"]),
        (5, 0, 0.79, 0.0, ["below_min_ndcg"]),
        (4, 0, 0.8, 0.0, ["too_few_questions"]),
        (5, 1, 1.0, -1.0, ["leak"]),
        (0, 2, 0.0, 1.0, ["leak", "too_few_questions", "below_min_ndcg", "drop"]),
    ],
)
def test_the_gate(questions: int, leaks: int, ndcg: float, drop: float | None, reasons: list[str]) -> None:
    gate = Gate(min_ndcg=0.8)
    assert reasons_to_refuse(gate, questions=questions, leaks=leaks, ndcg=ndcg, drop=drop) == reasons


def test_a_gate_as_it_is_stored() -> None:
    assert Gate.of({"set": "x"}) == Gate(None, 0.02)
    assert Gate.of({"min_ndcg": 0, "max_drop": 0}) == Gate(0.0, 0.0)
    assert Gate.of({"min_ndcg": None, "max_drop": None}) == Gate(None, 0.02)
