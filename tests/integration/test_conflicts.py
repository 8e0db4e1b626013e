"""Two documents that contradict each other, over HTTP: both are quoted with their dates, and the trace says so."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from kbcore.observability.metrics import conflicts
from services.query.remembered import GIVEN_BEFORE
from tests.integration.asking import Desk

OLD = datetime(2025, 1, 1, tzinfo=UTC)
ASKED = {
    "zh": ("费用要在多少天内提交报销？", "费用发生后三十天内提交报销。", "费用发生后 60 天内提交报销。", "说法不一"),
    "en": (
        "How long are laptop backups kept?",
        "Laptop backups are kept for ninety days.",
        "All laptop backups are kept for 30 days.",
        "contradict each other",
    ),
}


def settle(desk: Desk, language: str) -> tuple[str, str, str, str]:
    question, older, newer, words = ASKED[language]
    desk.corpus.add("public", "甲规定" if language == "zh" else "Rules of IT", older, effective=(OLD, None))
    desk.corpus.add("public", "报账说明" if language == "zh" else "Storage guide", newer)
    return question, older, newer, words


def ask(desk: Desk, question: str, person: str = "employee", **more: object) -> dict[str, Any]:
    with desk.client(person) as client:
        body = dict(client.post("/v1/ask", json={"question": question, **more}).raise_for_status().json())
        trace = client.get(f"/v1/traces/{body['trace_id']}").raise_for_status().json()
        body["trace"] = trace["answer"]
    for citation in body["citations"]:
        stored = desk.corpus.text_of(citation["document_id"], citation["version"])
        assert stored[citation["source"]["start"] : citation["source"]["end"]] == citation["quote"]
    assert set(re.findall(r"\[\d+\]", body["answer"])) == {citation["marker"] for citation in body["citations"]}
    return body


@pytest.mark.parametrize("language", ["zh", "en"])
def test_quotes_are_followed_by_the_conflict_newest_first(desk: Desk, language: str) -> None:
    question, older, newer, words = settle(desk, language)
    body = ask(desk, question)
    notice = body["answer"].partition("\n\n")[2]
    lead, first, second = notice.splitlines()
    assert words in lead
    assert newer in first
    assert older in second
    assert "2025-01-01" in second
    assert (body["trace"]["conflict"], body["trace"]["conflict_shown"]) == ("numbers", "added")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_model_is_told_and_must_cite_both(desk: Desk, language: str) -> None:
    question, older, newer, words = settle(desk, language)
    desk.chat.answer = f"{older}[1]"
    one_sided = ask(desk, question, model="say")
    assert words in one_sided["answer"]
    assert one_sided["trace"]["conflict_shown"] == "added"
    prompt = desk.chat.requests[-1]["messages"][-1]["content"]
    assert ("互相矛盾" if language == "zh" else "contradict each other") in prompt
    desk.chat.answer = f"{older}[1]\n{newer}[2]"
    both = ask(desk, question, model="say")
    assert words not in both["answer"]
    assert both["trace"]["conflict_shown"] == "cited"
    with desk.client() as client:
        replayed = client.post(f"/v1/traces/{both['trace_id']}/replay").raise_for_status().json()
    assert replayed["identical"] is True


def test_an_answer_given_again_keeps_the_conflict_and_both_are_counted(desk: Desk) -> None:
    question, older, _, words = settle(desk, "zh")
    platform = desk.corpus.platform
    remembering = platform.settings.answer.model_copy(update={"remember_minutes": 60})
    platform.settings = platform.settings.model_copy(update={"answer": remembering})
    desk.chat.answer = f"{older}[1]"
    before = conflicts.labels("added")._value.get()
    first, again = (ask(desk, question, model="say") for _ in range(2))
    assert again["routed_because"] == GIVEN_BEFORE
    assert words in again["answer"]
    assert (again["trace"]["conflict"], again["trace"]["conflict_shown"]) == ("numbers", "added")
    assert again["answer"] == first["answer"]
    assert conflicts.labels("added")._value.get() == before + 2


def test_limits_of_the_client_and_other_questions(desk: Desk) -> None:
    question, older, _, words = settle(desk, "zh")
    desk.chat.answer = f"{older}[1]"
    asked = {"model": "say", "messages": [{"role": "user", "content": question}], "stop": ["注意"]}
    with desk.client() as client:
        short = client.post("/v1/chat/completions", json=asked).raise_for_status().json()
    assert older in short["choices"][0]["message"]["content"]
    assert words not in short["choices"][0]["message"]["content"]
    other = ask(desk, "年假可以结转吗？")
    assert other["trace"]["conflict"] is None


def test_what_may_not_be_read_contradicts_nothing(desk: Desk) -> None:
    question, older, newer, words = ASKED["zh"]
    desk.corpus.add("public", "甲规定", older)
    desk.corpus.add("hr", "报账说明", newer)
    assert words not in ask(desk, question)["answer"]
    assert words in ask(desk, question, "hr")["answer"]
