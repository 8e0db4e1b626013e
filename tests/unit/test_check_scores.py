"""Numbers, denials, overlap, follow-ups and abstentions: the small judges of the question path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.language.negation import negated
from kbcore.language.numerals import numbers
from kbcore.language.overlap import coverage, features
from kbcore.language.weights import coverage as weight_coverage
from kbcore.language.weights import pack, packed_coverage, unpack
from services.query.abstain import NOTHING_FOUND, abstention


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("共 3,000 元、三千元、3千元", {"3000"}),
        ("百分之十五", {"15"}),
        ("二〇二六年第十二条", {"2026", "12"}),
        ("五天，统一安排一些人", {"5"}),
        ("一万二千元，5万元", {"12000", "50000"}),
        ("3.50%", {"3.5"}),
        ("Two weeks, one of E1234", {"2"}),
        ("2024-03-01", {"2024", "3", "1"}),
        ("没有数字", set()),
    ],
)
def test_numbers_have_one_spelling(text: str, stated: set[str]) -> None:
    assert numbers(text) == stated


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("年假可以结转", False),
        ("年假不可以结转", True),
        ("费用不超过 500 元", False),
        ("不得超过 500 元", False),
        ("并非不可以", False),
        ("非常重要，无论何时", False),
        ("未经批准", True),
        ("Leave cannot be carried over", True),
        ("no later than March", False),
        ("It isn't paid", True),
        ("not only leave", False),
    ],
)
def test_denials(text: str, denied: bool) -> None:
    assert negated(text) is denied


def test_overlap_folds_case_width_and_endings() -> None:
    assert coverage(features("ＶＰＮ Passwords"), features("the vpn password expires")) == 1.0
    assert coverage(features("年假结转"), features("年假可以结转")) == pytest.approx(2 / 3)
    assert coverage(features("的了吗"), features("x")) == 0.0


def test_an_abstention_without_documents_names_none() -> None:
    assert abstention("年假？", NOTHING_FOUND, []) == ("我不知道：在您可以查阅的文档中没有找到相关内容。", ())
    assert abstention("Leave?", NOTHING_FOUND, [])[0].startswith("I don't know: ")


term_ids = st.integers(1, 50)


@given(st.dictionaries(term_ids, st.floats(0.01, 1.0), max_size=20), st.lists(term_ids, unique=True))
def test_packed_coverage_is_coverage(passage: dict[int, float], asked: list[int]) -> None:
    question = {term: 1 / len(asked) for term in asked}
    packed = pack(passage)
    assert packed_coverage(question, packed) == pytest.approx(weight_coverage(question, unpack(packed)))
