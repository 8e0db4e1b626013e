"""Pairs that decide what a rule says."""

import pytest

from kbcore.language.opposites import opposed, other_time


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("you must ask", "you may ask"),
        ("before departure", "after departure"),
        ("at least five", "at most five"),
        ("amounts above 5", "amounts below 5"),
        ("prices rise", "prices fall"),
        ("breakfast included", "breakfast excluded"),
        ("it is allowed", "it is prohibited"),
        ("gross pay", "net pay"),
        ("deployments are started", "stop deployments"),
        ("必须申请", "可以申请"),
        ("出发之前", "出发之后"),
        ("P7 及以上", "P7 及以下"),
        ("不低于 80%", "不得超过 80%"),
        ("至少五天", "最多五天"),
        ("提高限额", "降低限额"),
        ("包括周末", "不包括周末"),
        ("允许拍照", "禁止拍照"),
        ("税前", "税后"),
        ("开始部署", "停止部署"),
    ],
)
def test_opposite_sides(one: str, other: str) -> None:
    assert opposed(one, other)
    assert opposed(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("up to five days", "no more than five days"),
        ("不能超过 30%", "不得超过 30%"),
        ("最多为 30%", "不得超过 30%"),
        ("you need to ask", "you may ask"),
        ("before and after", "after"),
        ("须在之前申请", "应当事先申请"),
    ],
)
def test_the_same_side_or_none(one: str, other: str) -> None:
    assert not opposed(one, other)


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("days", "hours", True),
        ("working days", "calendar days", True),
        ("5 个工作日", "5 个自然日", True),
        ("周", "个月", True),
        ("business days", "工作日", False),
        ("days", "soon", False),
    ],
)
def test_what_time_is_counted_in(one: str, other: str, *, differs: bool) -> None:
    assert other_time(one, other) is differs
