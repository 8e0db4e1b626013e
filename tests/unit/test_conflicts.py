"""Conflicts: what plainly contradicts is found, newest first; what only looks like it is left alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kbcore.domain.trace import ConflictKind
from services.query.conflict_notice import notice
from services.query.conflicts import find_conflict
from services.query.found import Ranked
from tests.unit.test_cite import passage

OLD, NEW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)

CONTRADICT = [
    (
        "年假可以结转到什么时候？",
        "年假可以结转至次年三月三十一日，逾期作废。",
        "年假可结转到次年 6 月 30 日，逾期作废。",
    ),
    ("入职满一年有几天年假？", "员工入职满一年后享有五天年假。", "员工入职满 1 年后享有 7 天年假。"),
    ("北京住宿标准是多少？", "北京住宿标准为每晚 600 元。", "出差北京的住宿标准为每晚 500 元。"),
    ("报销要在多少天内提交？", "费用发生后三十天内提交报销。", "费用发生后 60 天内须提交报销。"),
    ("访客可以进入机房吗？", "访客可以进入机房参观。", "访客不得进入机房参观。"),
    (
        "Until when can leave be carried over?",
        "Annual leave can be carried over until March 31.",
        "Unused annual leave can be carried over until 30 June.",
    ),
    (
        "How much may a hotel in Beijing cost?",
        "Hotels in Beijing are reimbursed up to 600 yuan per night.",
        "Hotels in Beijing are reimbursed up to 800 yuan per night.",
    ),
    (
        "How long are backups kept?",
        "Backups are kept for ninety days.",
        "All backups are kept for 30 days.",
    ),
    (
        "May visitors enter the server room?",
        "Visitors may enter the server room with an escort.",
        "Visitors must not enter the server room with an escort.",
    ),
]
AGREE = [
    ("住宿标准是多少？", "北京住宿标准为每晚 600 元。", "成都住宿标准为每晚 400 元。"),
    ("年假有几天？", "员工入职满一年后享有五天年假。", "员工入职满十年后享有十天年假。"),
    ("年假有几天？", "员工入职满一年后享有五天年假。", "员工入职满1年后享有5天年假，满十年享有十天。"),
    ("员工享有年假吗？", "员工入职满一年后享有年假。", "试用期员工不享有年假。"),
    ("公司的营收是多少？", "2024年公司营收为三亿元。", "2025年公司营收为五亿元。"),
    ("P5 的月薪是多少？", "P5 级工程师的月薪为 18,000 元。", "P6 级工程师的月薪为 28,000 元。"),
    ("年假可以结转吗？", "年假可以结转至次年三月三十一日，逾期作废。", "年假可结转至次年 3 月 31 日，逾期作废。"),
    ("合同由谁签署？", "合同须由法务部审核后签署。", "病假需提供医院证明，三天以内由主管批准。"),
    ("密码要多少位？", "密码至少 12 位。", "密码最多 64 位。"),
    (
        "How much may a hotel cost?",
        "Hotels in Beijing are reimbursed up to 600 yuan per night.",
        "Hotels in Chengdu are reimbursed up to 400 yuan per night.",
    ),
    (
        "How long are backups kept?",
        "Database backups are kept for ninety days.",
        "Mail archives are kept for ten years.",
    ),
    ("What was the revenue?", "The revenue in 2024 was 3 million yuan.", "The revenue in 2025 was 5 million yuan."),
    ("Is leave carried over?", "Leave is carried over.", "Sick leave during probation is not carried over."),
    ("How long are backups kept?", "Backups are kept for ninety days.", "Backups are kept for 90 days."),
    ("Who signs contracts?", "Contracts up to 10 days are signed by legal.", "Flights are booked 14 days ahead."),
]


def ranked(question: str, first: str, second: str, *, same: bool = False) -> list[Ranked]:
    language = "zh" if question[-1] == "？" else "en"
    one = replace(passage(first, 1, "员工手册", language), effective_from=OLD, heading=())
    other = replace(passage(second, 2, "休假制度", language), made_at=NEW, version=3, heading=())
    if same:
        other = replace(other, document_id=one.document_id, version=one.version)
    return [Ranked(one, 0.9, 0.9, 0.5), Ranked(other, 0.89, 0.89, 0.5)]


@pytest.mark.parametrize(("question", "first", "second"), CONTRADICT)
def test_contradictions_are_found_newest_first(question: str, first: str, second: str) -> None:
    found = find_conflict(question, ranked(question, first, second))
    assert found is not None
    assert [side.number for side in found.sides] == [2, 1]
    assert [side.quote for side in found.sides] == [second, first]
    assert [side.day for side in found.sides] == ["2026-03-01", "2024-01-01"]
    denied = "访客" in question or "visitors" in question
    assert found.kind is (ConflictKind.DENIAL if denied else ConflictKind.NUMBERS)
    swapped = find_conflict(question, ranked(question, first, second)[::-1])
    assert swapped is not None
    assert [side.quote for side in swapped.sides] == [second, first]


@pytest.mark.parametrize(("question", "first", "second"), AGREE)
def test_what_only_looks_like_it_is_left_alone(question: str, first: str, second: str) -> None:
    assert find_conflict(question, ranked(question, first, second)) is None


def test_one_version_does_not_contradict_itself() -> None:
    question, first, second = CONTRADICT[0]
    assert find_conflict(question, ranked(question, first, second, same=True)) is None


def test_what_is_far_off_is_not_compared() -> None:
    question, first, second = CONTRADICT[0]
    one, other = ranked(question, first, second)
    assert find_conflict(question, [one, replace(other, score=0.7)]) is None


def test_the_notice_names_title_version_and_date_in_the_questions_language() -> None:
    for question, first, second in (CONTRADICT[0], CONTRADICT[5]):
        found = find_conflict(question, ranked(question, first, second))
        assert found is not None
        lead, (newer, older) = notice(question, found)
        chinese = question[-1] == "？"
        assert ("说法不一" if chinese else "contradict each other") in lead
        assert newer == (
            f"《休假制度》（第 3 版，2026-03-01 制定）：“{second}”"
            if chinese
            else f"休假制度 (version 3, of 2026-03-01): “{second}”"
        )
        assert ("自 2024-01-01 起生效" if chinese else "in force from 2024-01-01") in older


def test_slots_in_documents_stay_text() -> None:
    question, first, second = CONTRADICT[1]
    pair = ranked(question, first, second)
    pair[1] = replace(pair[1], passage=replace(pair[1].passage, title="{quote}{version}"))
    found = find_conflict(question, pair)
    assert found is not None
    assert notice(question, found)[1][0].startswith("《{quote}{version}》")
