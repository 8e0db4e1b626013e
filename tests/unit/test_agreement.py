"""What no paraphrase may change: each rule, in both languages; and that whatever is shown keeps them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.language.fixed_terms import fixed_terms
from kbcore.language.identifiers import identifiers
from kbcore.language.names import unknown_names
from kbcore.language.numerals import numbers
from services.query.agreement import Ground, disagreement
from services.query.support import find_evidence
from tests.quality.answer_bench import passage

POLICY = (
    "Mei Lin of Treasury approves payments above 500 yuan before each Tuesday. "
    "The FG-200 gateway must be returned within three working days. Reports are sent to the Dublin office every month. "
    "Employees may work from home after their probation ends. Cash is never accepted."
)
RULES = (
    "财务部的张伟在每周二之前审批 500 元以上的付款。FG-200 网关必须在三个工作日内归还。报告每月发送到杭州办事处。"
    "员工转正之后可以在家办公。任何情况下不接受现金。年度预算由总经理批准。"
)


def unlike(_said: str, candidates: Sequence[str]) -> list[float]:
    return [0.0] * len(candidates)


def alike(_said: str, candidates: Sequence[str]) -> list[float]:
    return [1.0] * len(candidates)


@pytest.mark.parametrize(
    ("rule", "said", "text"),
    [
        ("name", "The reports go to Berlin every month.", POLICY),
        ("name", "报告每月发送到北京。", RULES),
        ("name", "Mei Lin of Legal approves payments above 500 yuan.", POLICY),
        ("name", "FG-300 must be returned within three working days.", POLICY),
        ("identifier", "fg-300 网关必须在三个工作日内归还。", RULES),
        ("term", "Reports are sent to the Dublin office every week.", POLICY),
        ("term", "报告每周发送到杭州办事处。", RULES),
        ("term", "Mei Lin approves payments above 500 euros.", POLICY),
        ("term", "张伟在周四之前审批付款。", RULES),
        ("unit", "The gateway must be returned within three weeks.", POLICY),
        ("unit", "网关必须在三个月内归还。", RULES),
        ("opposite", "Employees may work from home before their probation ends.", POLICY),
        ("opposite", "员工转正之前可以在家办公。", RULES),
        ("opposite", "The gateway may be returned within three working days.", POLICY),
        ("opposite", "张伟审批 500 元以下的付款。", RULES),
        ("denial", "Cash is accepted.", POLICY),
        ("denial", "任何情况下接受现金。", RULES),
        ("exchange", "Reports are sent to the parking garage every month.", POLICY),
        ("exchange", "年度预算由部门负责人批准。", RULES),
        ("order", "Treasury of Mei Lin approves payments above 500 yuan before each Tuesday.", POLICY),
    ],
)
def test_what_is_exchanged_is_named(rule: str, said: str, text: str) -> None:
    assert disagreement(said, _ground(said, text), unlike) == rule


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Mei Lin has to approve payments of more than 500 yuan.", POLICY),
        ("The reports go to the Dublin office monthly.", POLICY),
        ("You must return the FG-200 within 3 business days.", POLICY),
        ("Once their probation ends, employees may work from home.", POLICY),
        ("超过 500 元的付款由财务部张伟审批。", RULES),
        ("FG-200 网关须在 3 个工作日内归还。", RULES),
        ("员工转正后可以在家办公。", RULES),
        ("不接受现金。", RULES),
    ],
)
def test_a_paraphrase_agrees(said: str, text: str) -> None:
    assert disagreement(said, _ground(said, text), alike) is None


def test_one_word_for_another_is_a_matter_of_meaning() -> None:
    said = "Reports are mailed to the Dublin office every month."
    ground = _ground(said, POLICY)
    assert disagreement(said, ground, alike) is None
    assert disagreement(said, ground, unlike) == "exchange"


@pytest.mark.parametrize(
    ("said", "quote"),
    [("Alice hired Bob in Paris.", "Bob hired Alice in Paris."), ("王芳推荐了李强。", "李强推荐了王芳。")],
)
def test_roles_are_not_swapped(said: str, quote: str) -> None:
    assert disagreement(said, Ground(quote, quote, quote), alike) is not None


def test_a_number_of_the_question_does_not_stand_for_that_of_the_source() -> None:
    question, text = "能结转 50 天吗？", "当年的年休假最多可以结转 5 天。"
    assert find_evidence("年休假最多可以结转 5 天。", passage(text, 1), question, alike) is not None
    assert find_evidence("年休假最多可以结转 50 天。", passage(text, 1), question, alike) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("财务部必须在星期二之前付款给 Mei Lin。", True),
        ("财务部必须在星期二之前付款给 John Doe。", False),
        ("必须在星期四之前付款。", False),
        ("FG-300 必须在星期二之前付款。", False),
    ],
)
def test_a_translation_agrees_in_what_is_written_alike(said: str, shown: bool) -> None:
    text = "Treasury must pay Mei Lin by Tuesday."
    assert (find_evidence(said, passage(text, 1), "什么时候付款？", alike) is not None) is shown


@pytest.mark.parametrize(
    "said",
    [
        "According to the policy, it is wrong that “Cash is never accepted.”",
        "“Cash is never accepted.”, so pay by Visa at the Oslo counter.",
        "“任何情况下不接受现金。”因此请到上海分行刷卡。",
    ],
)
def test_a_quotation_does_not_carry_what_is_around_it(said: str) -> None:
    assert find_evidence(said, passage(POLICY + RULES, 1), "现金 cash?", alike) is None


PIECES = [
    *("Mei Lin", "of Treasury", "approves", "payments", "above 500 yuan", "within three working days", "must", "may"),
    *("Bob Stone", "in Berlin", "every week", "600 yuan", "on Friday", "in euros", "the FG-300", "is never accepted"),
    *(
        "财务部",
        "张伟",
        "审批",
        "500 元以上的付款",
        "每周二之前",
        "李强",
        "北京",
        "600 元",
        "每年",
        "可以",
        "三月",
        "不",
    ),
]


@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=8), st.sampled_from([POLICY, RULES]))
def test_what_is_shown_has_its_numbers_names_and_terms_from_the_source(pieces: list[str], text: str) -> None:
    said = " ".join(pieces) + "."
    if find_evidence(said, passage(text, 1), "Who approves? 谁审批？", alike) is None:
        return
    assert numbers(said) <= numbers(text)
    assert identifiers(said) <= identifiers(text)
    assert fixed_terms(said) <= fixed_terms(text)
    written_alike = {name for name in unknown_names(said, text) if name.isascii() or text is RULES}
    assert not written_alike or text is RULES


def _ground(said: str, text: str) -> Ground:
    """The sentence that shares most with what is said, alone."""
    ends = [at + 1 for at, mark in enumerate(text) if mark in ".。"]
    spans = [text[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    quote = max(spans, key=lambda each: len(set(said) & set(each)) / len(set(said) | set(each)))
    return Ground(quote, quote, text)
