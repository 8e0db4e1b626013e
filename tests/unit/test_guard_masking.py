"""Masking: what is sent holds nothing of what was found, and what comes back is what was there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbcore.llm.interface import AnswerRequest, Source
from services.guard.masking import Restorer, mask
from services.guard.personal_data import find, is_iban, is_luhn, is_resident_id

VALUES = {
    "13812345678": "PHONE",
    "+86 138 1234 5678": "PHONE",
    "(415) 555-2671": "PHONE",
    "010-62345678": "PHONE",
    "li.lei@example.com": "EMAIL",
    "11010519491231002X": "ID",
    "4111 1111 1111 1111": "CARD",
    "GB82 WEST 1234 5698 7654 32": "IBAN",
    "536-90-4399": "SSN",
    "192.168.10.24": "IP",
    "2001:db8::8a2e:370:7334": "IP",
    "李雷": "NAME",
    "Jane Roe": "NAME",
}
NAMES = ("李雷", "Jane Roe")
_FILLER = st.text(alphabet="年假休息规则 abcxyz.,。，：\n⟦⟧_PHONE1", max_size=12)
_TEXTS = st.lists(st.one_of(_FILLER, st.sampled_from(sorted(VALUES)).map(lambda value: f" {value} ")), max_size=8).map(
    "".join
)


def _request(question: str, earlier: str, text: str) -> AnswerRequest:
    source = Source(1, earlier, text, (question,), 1.0, "zh")
    return AnswerRequest(question, "zh", [source], history=((earlier, text),))


def _all(request: AnswerRequest) -> list[str]:
    sources = [part for each in request.sources for part in (each.title, *each.heading, each.text)]
    return [request.question, *(part for pair in request.history for part in pair), *sources]


@pytest.mark.parametrize(("value", "kind"), VALUES.items())
def test_each_kind_is_found_whole(value: str, kind: str) -> None:
    for text in (f"请联系 {value}。", f"See {value}, thanks."):
        found = find(text, names=NAMES)
        assert [(text[start:end], each) for start, end, each in found] == [(value, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "订单 20240115123456，金额 18,000 元，2024-01-15 生效，E1042，版本 3.11.7",
        "It costs 1,250,000.00 in 2024 and 600 yuan per night; see section 12.3.4 of ISO 27001:2022.",
        "P5 级工程师的月薪范围是 18,000 至 26,000 元，三天以内由直属主管批准。",
        "身份证 110105194912310021 的校验位不对",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert find(text) == []


@settings(deadline=None)
@given(_TEXTS, _TEXTS, _TEXTS)
def test_masked_then_restored_is_the_same(question: str, earlier: str, text: str) -> None:
    request = _request(question, earlier, text)
    sent, restorer = mask(request, names=NAMES)
    assert [restorer.restore(each) for each in _all(sent)] == _all(request)


@settings(deadline=None)
@given(_TEXTS, _TEXTS, _TEXTS)
def test_no_masked_value_is_sent(question: str, earlier: str, text: str) -> None:
    request = _request(question, earlier, text)
    values = {each[start:end] for each in _all(request) for start, end, _ in find(each, names=NAMES)}
    sent, _ = mask(request, names=NAMES)
    assert not [value for value in values for each in _all(sent) if value in each]


@settings(deadline=None)
@given(_TEXTS, st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_pieces_are_restored_wherever_they_are_cut(text: str, cuts: list[int]) -> None:
    sent, restorer = mask(_request(text, "", ""), names=NAMES)
    said, rest = [], sent.question
    for cut in cuts:
        said.append(restorer.feed(rest[:cut]))
        rest = rest[cut:]
    said += [restorer.feed(rest), restorer.end()]
    assert "".join(said) == text


def test_one_value_has_one_placeholder_everywhere() -> None:
    sent, _ = mask(_request("13812345678 是谁？", "13812345678", "李雷 13812345678 li.lei@example.com"), names=NAMES)
    assert sent.question == "⟦PHONE_1⟧ 是谁？"
    assert sent.sources[0].text == "⟦NAME_1⟧ ⟦PHONE_1⟧ ⟦EMAIL_1⟧"


def test_placeholders_that_the_text_already_has_are_left_alone() -> None:
    sent, restorer = mask(_request("⟦PHONE_1⟧ 和 13812345678", "", ""))
    assert sent.question == "⟦PHONE_1⟧ 和 ⟦PHONE_2⟧"
    assert restorer.restore("⟦PHONE_1⟧ ⟦ PHONE_2 ⟧ ⟦PHONE_3⟧") == "⟦PHONE_1⟧ 13812345678 ⟦PHONE_3⟧"


def test_an_opening_bracket_alone_is_not_held_back_for_ever() -> None:
    restorer = Restorer({})
    assert restorer.feed("⟦" + "x" * 30) == "⟦" + "x" * 30
    assert restorer.feed("a⟦b") == "a"
    assert restorer.end() == "⟦b"


def test_check_digits() -> None:
    assert is_resident_id("11010519491231002X")
    assert not is_resident_id("110105194912310021")
    assert is_luhn("4111111111111111")
    assert not is_luhn("4111111111111112")
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("DE89 3704 0044 0532 0130 01")
