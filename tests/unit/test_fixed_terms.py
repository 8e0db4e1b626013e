"""Closed classes of words, the same in both languages."""

import pytest

from kbcore.language.fixed_terms import fixed_terms


@pytest.mark.parametrize(
    ("english", "chinese", "terms"),
    [
        ("by the end of March", "三月底前", {"month 3"}),
        ("November 5", "11月5日", {"month 11"}),
        ("on Tuesdays and Thursdays", "周二和星期四", {"weekday 2", "weekday 4"}),
        ("650 yuan", "650 元", {"yuan"}),
        ("$200", "200 美元", {"US dollar"}),
        ("€5", "5 欧元", {"euro"}),
        ("£5", "5 英镑", {"pound"}),
        ("5 yen", "5 日元", {"yen"}),
        ("HK$5", "5 港元", {"Hong Kong dollar"}),
        ("once a week", "每周一次", {"every week"}),
        ("daily", "每天", {"every day"}),
        ("quarterly", "每季度", {"every quarter"}),
        ("each January", "每年一月", None),
    ],
)
def test_both_languages_name_the_same(english: str, chinese: str, terms: set[str] | None) -> None:
    if terms is None:
        assert fixed_terms(english) < fixed_terms(chinese) == {"every year", "month 1"}
    else:
        assert fixed_terms(english) == fixed_terms(chinese) == terms


@pytest.mark.parametrize(
    "text", ["You may march on.", "May I go?", "within a year", "for a week", "三个月", "月度", "单元测试", "统一天地"]
)
def test_words_that_only_look_like_one(text: str) -> None:
    assert not fixed_terms(text)
