"""Understanding a question: follow-ups, time words, glossary terms, spelling, language. Nothing here asks a model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from kbcore.domain.glossary import GlossaryEntry
from kbcore.errors import Unavailable
from kbcore.language.frame import question_language
from kbcore.llm.interface import Message
from kbcore.settings import CONFIG_FOLDER
from services.query.request import AskRequest, SearchRequest
from services.query.understand.by_model import reworded
from services.query.understand.glossary import in_other_words, matched
from services.query.understand.history import within_budget
from services.query.understand.question import standalone
from services.query.understand.rewrite import rewrite
from services.query.understand.spelling import _neighbour
from services.query.understand.time_words import day_asked_about
from tests.quality.followup_cases import CHINESE, ENGLISH

PROMPTS: Path = CONFIG_FOLDER / "prompts"
TODAY = date(2026, 11, 26)
ENTRY = GlossaryEntry(
    "1", None, None, "x", ("y",), "u", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("earlier", "question", "meant"),
    [
        ([], "那病假呢？", "那病假呢？"),
        (["差旅住宿标准是多少？"], "那交通费呢？", "交通费（差旅住宿标准）"),
        (["差旅住宿标准是多少？"], "去年的呢？", "去年差旅住宿标准是多少？"),
        (["2024年的住宿标准是多少？"], "那2025年呢？", "2025年的住宿标准是多少？"),
        (["病假需要什么证明？"], "事假呢？", "事假需要什么证明？"),
        (["故障码 E1042 怎么处理？"], "那 E1055 呢？", "故障码 E1055 怎么处理？"),
        (["年假可以结转吗？"], "它什么时候作废？", "什么时候作废（年假结转）"),
        (["年假可以结转吗？"], "该政策什么时候生效？", "政策什么时候生效（年假结转）"),
        (["年假可以结转吗？", "它什么时候作废？"], "谁批准？", "谁批准（年假结转）"),
        (["年假可以结转吗？"], "食堂几点开门呢？", "食堂几点开门呢？"),
        (["年假可以结转吗？"], "这个季度的营收是多少？", "这个季度的营收是多少？"),
        (["年假可以结转吗？", "食堂在哪里？", "", "  "], "几点开门？", "几点开门？"),
        (["What is the notice period for engineers?"], "and for managers?", "What is the notice period for managers?"),
        (["What is the notice period for engineers?"], "And managers?", "What is the notice period for managers?"),
        (["How much annual leave do I get?"], "What about sick leave?", "How much sick leave do I get?"),
        (["What was the limit in 2024?"], "And in 2025?", "What was the limit in 2025?"),
        (["How soon must a P1 be answered?"], "What about P2?", "How soon must a P2 be answered?"),
        (["What does the insurance cover?"], "How long?", "How long (insurance cover)?"),
        (["What is the gift limit?"], "Who approves it?", "Who approves it (gift limit)?"),
        (["What is the gift limit?"], "Who runs IT support?", "Who runs IT support?"),
        (["What is the gift limit?"], "Is there a sports allowance?", "Is there a sports allowance?"),
        (["What is the gift limit?"], "How do we report our concerns?", "How do we report our concerns?"),
    ],
)  # fmt: skip
def test_follow_ups_become_what_was_meant(earlier: list[str], question: str, meant: str) -> None:
    assert rewrite(question, [(asked, "…") for asked in earlier]) == meant


def test_only_three_turns_back_are_looked_at() -> None:
    turns = [("年假可以结转吗？", "…")] + [("谁批准？", "…")] * 3
    assert "年假" not in rewrite("为什么？", turns)
    assert "年假" in rewrite("为什么？", turns[:3])


@pytest.mark.parametrize("cases", [CHINESE, ENGLISH], ids=["zh", "en"])
def test_the_labelled_set_is_decided_precisely(cases: Sequence[tuple[tuple[str, ...], str, bool, str]]) -> None:
    assert len(cases) >= 40
    seen = Counter(
        (follows, rewrite(question, [(asked, "") for asked in earlier]) != question)
        for earlier, question, follows, _ in cases
    )
    assert seen[False, True] == 0
    assert seen[True, True] >= 0.8 * (seen[True, True] + seen[True, False])


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("去年的住宿标准是多少？", "2025-07-02"),
        ("明年的住宿标准是多少？", "2027-07-02"),
        ("前年的", "2024-07-02"),
        ("2024年的", "2024-07-02"),
        ("2024年上半年的", "2024-04-01"),
        ("2024年2月的", "2024-02-15"),
        ("2023 年 2 月", "2023-02-15"),
        ("去年第三季度", "2025-08-16"),
        ("去年十二月", "2025-12-16"),
        ("上个月的", "2026-10-16"),
        ("下个季度", "2027-02-15"),
        ("第三季度", "2026-08-16"),
        ("last year's hotel limit", "2025-07-02"),
        ("What was the limit in 2024?", "2024-07-02"),
        ("the limit in Q3 2025", "2025-08-16"),
        ("the limit in 2025 Q3", "2025-08-16"),
        ("the first half of 2025", "2025-04-01"),
        ("the second quarter of last year", "2025-05-16"),
        ("in February 2024", "2024-02-15"),
        ("two years ago", "2024-07-02"),
        ("2025-03", "2025-03-16"),
        ("Q3", "2026-08-16"),
        ("今年的", None),
        ("2026年的", None),
        ("this year", None),
        ("本月", None),
        ("Q4", None),
        ("现行的标准", None),
        ("the current limit, not that of 2024", None),
        ("2024年以来", None),
        ("since 2024", None),
        ("before last year", None),
        ("2024年和2025年有什么不同？", None),
        ("2024 or 2025", None),
        ("以前年度的", None),
        ("FG-2024 gateway", None),
        ("E2024 怎么处理？", None),
        ("12024 yuan", None),
        ("年假有几天？", None),
        ("", None),
    ],
)
def test_time_words_name_a_day(question: str, day: str | None) -> None:
    found = day_asked_about(question, TODAY)
    assert (None if found is None else found.date().isoformat()) == day


@pytest.mark.parametrize(
    ("question", "today", "day"),
    [
        ("上个月", date(2026, 1, 1), "2025-12-16"),
        ("next month", date(2026, 12, 31), "2027-01-16"),
        ("last quarter", date(2024, 2, 29), "2023-11-16"),
        ("last month", date(2024, 3, 31), "2024-02-15"),
        ("去年", date(2024, 2, 29), "2023-07-02"),
        ("去年", date(2025, 1, 1), "2024-07-02"),
        ("2024年上半年", date(2024, 6, 30), None),
        ("2024年上半年", date(2024, 7, 1), "2024-04-01"),
        ("last year", date(1, 1, 1), None),
    ],
)
def test_time_words_at_the_edges_of_the_calendar(question: str, today: date, day: str | None) -> None:
    found = day_asked_about(question, today)
    assert (None if found is None else found.date().isoformat()) == day


def entry(term: str, *expansions: str, entry_id: str = "") -> GlossaryEntry:
    return replace(ENTRY, id=entry_id or term, term=term, expansions=expansions)


@pytest.mark.parametrize(
    ("question", "terms", "found"),
    [
        ("我的年假有几天", ["年假", "假"], ["年假"]),
        ("年假和病假", ["年假", "假"], ["年假", "假"]),
        ("How much pto do I get?", ["PTO"], ["pto"]),
        ("How many PTOs?", ["PTO"], ["pto"]),
        ("The laptop", ["PTO", "lap"], []),
        ("ＰＴＯ 怎么算", ["PTO"], ["pto"]),
        ("PTO怎么算", ["PTO"], ["pto"]),
        ("a P1 incident", ["P1", "incident"], ["incident", "p1"]),
        ("a P10 incident", ["P1"], []),
        ("annual leave rules", ["annual leave", "leave"], ["annual leave"]),
        ("What is C++?", ["C++", "C"], ["c++"]),
    ],
)
def test_glossary_terms_are_found_as_each_language_writes_them(
    question: str, terms: list[str], found: list[str]
) -> None:
    assert [each.term for each in matched(question, [entry(term, "x") for term in terms])] == found


def test_entries_of_one_term_add_up_and_never_name_the_term_itself() -> None:
    (only,) = matched(
        "PTO?", [entry("PTO", "年假", "pto", entry_id="1"), entry("pto", "年假", "annual leave", entry_id="2")]
    )
    assert only.others == ("年假", "annual leave")
    assert only.entry_ids == ("1", "2")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How many PTOs?", "How many annual leave?"),
        ("pto 有几天？", "年假 有几天?"),
        ("The PTOX", "The PTOX"),
        (r"PTO \\1", r"annual leave \\1"),
    ],
)
def test_a_question_in_the_glossarys_words_is_in_its_own_language(question: str, said: str) -> None:
    found = matched(question, [entry("PTO", "年假", "annual leave")])
    assert in_other_words(SearchRequest(question, 5, expansions=found)) == said


@pytest.mark.parametrize(
    ("word", "written", "meant"),
    [
        ("incidnet", ["incident", "incidents"], "incident"),
        ("pasword", ["password"], "password"),
        ("pasword", ["passport", "pass"], None),
        ("senser", ["sensor", "sender"], None),
        ("rading", ["trading"], None),
        ("calibratoin", ["calibration", "calibrated"], "calibration"),
    ],
)
def test_a_misspelt_word_has_one_close_neighbour(word: str, written: list[str], meant: str | None) -> None:
    assert _neighbour(word, Counter(written), "mixed-1") == meant


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("CRM 的 SLA 是多少", "zh"),
        ("Kubernetes cluster autoscaler node pool 怎么配置", "zh"),
        ("What does 年假结转规定 say?", "en"),
        ("How do I apply for 育儿假 and 陪产假?", "en"),
        ("《Code of Conduct》 规定了什么", "zh"),
        ("年假结转", "zh"),
        ("PTO carry-over", "en"),
        ("“年假可以结转吗” in English", "en"),
        ("", "en"),
    ],
)
def test_a_question_is_in_the_language_of_its_frame(question: str, language: str) -> None:
    assert question_language(question) == language


HISTORY = (("年假可以结转吗？", "可以，最多 5 天。"),)


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("病假可以结转吗？", True),
        ("病假可以结转到 2027 年吗？", False),
        ("E1042 病假可以结转吗？", False),
        ("Can sick leave be carried over?", False),
        ("病假可以结转吗？\n因为问的是病假。", False),
        ("病假可以结转吗？" * 60, False),
        ("", False),
    ],
)
def test_a_models_rewriting_is_checked(said: str, believed: bool) -> None:
    sent: list[Message] = []

    def rewriter(messages: Sequence[Message]) -> str:
        sent.extend(messages)
        return said

    found = standalone(AskRequest("那病假呢？", history=HISTORY), rewriter)
    assert (found.text, found.follow_up) == ((said, "model") if believed else ("病假可以结转吗？", "rules"))
    assert "最多 5 天" not in "".join(message.content for message in sent)
    assert "年假可以结转吗" in sent[-1].content


def test_a_model_that_is_away_is_not_waited_for() -> None:
    def rewriter(messages: Sequence[Message]) -> str:
        raise Unavailable("away")

    assert reworded("那病假呢？", HISTORY, rewriter, PROMPTS) is None
    assert standalone(AskRequest("那病假呢？", history=HISTORY), rewriter).text == "病假可以结转吗？"


def test_history_is_kept_in_whole_turns_the_newest_first() -> None:
    def count(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    turns = (("aa", "bbbb"), ("cc", ""), ("dd", "ee"))
    assert within_budget(turns, 10, count) == turns
    assert within_budget(turns, 9, count) == (("aa", ""), ("cc", ""), ("dd", "ee"))
    assert within_budget(turns, 3, count) == (("aa", ""), ("cc", ""), ("dd", ""))
    assert within_budget((), 3, count) == ()
