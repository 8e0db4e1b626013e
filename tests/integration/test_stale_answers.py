"""Answers whose sources have changed since: listed for those who answer for the document, marked for who asked."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.auth.api_keys import issue_key
from tests.integration.asking import HANDBOOK, Desk

QUESTION = "年假可以结转吗？"
SENTENCE = "年假可以结转至次年三月三十一日，逾期作废。"
PAY = "P5 级工程师的月薪范围是多少？"


@pytest.fixture
def admin(desk: Desk) -> Iterator[httpx.Client]:
    """An administrator who may read nothing of HR."""
    caller = desk.corpus.person("admin", is_admin=True)
    with desk.corpus.platform.database.begin() as connection:
        key = issue_key(connection, user_id=caller.user_id, name="test").token
    with httpx.Client(base_url=desk.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def ask(desk: Desk, question: str, person: str = "employee") -> dict[str, Any]:
    with desk.client(person) as client:
        answer = client.post("/v1/ask", json={"question": question}).raise_for_status().json()
    assert answer["citations"], answer
    return dict(answer)


def turn_of(desk: Desk, asked: dict[str, Any], person: str = "employee") -> dict[str, Any]:
    with desk.client(person) as client:
        return dict(client.get(f"/v1/conversations/{asked['conversation_id']}").json()["turns"][0])


def statuses(admin: httpx.Client, document: str, **query: str) -> list[tuple[int, str]]:
    found = admin.get(f"/v1/documents/{document}/answers", params=query).raise_for_status().json()
    return [(item["version"], item["status"]) for item in found["items"]]


def execute(desk: Desk, statement: str, **values: object) -> None:
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(sa.text(statement), values)


def test_an_answer_is_stale_once_its_quote_is_gone(desk: Desk, admin: httpx.Client) -> None:
    asked, handbook = ask(desk, QUESTION), desk.documents["handbook"]
    assert [citation["quote"] for citation in asked["citations"]] == [SENTENCE]
    assert turn_of(desk, asked)["stale"] == []
    listed = admin.get(f"/v1/documents/{handbook}/answers").json()["items"]
    assert [(item["trace_id"], item["asked_by"], item["version"], item["status"]) for item in listed] == [
        (asked["trace_id"], desk.people["employee"].user_id, 1, "current")
    ]
    assert SENTENCE not in str(listed)
    assert QUESTION not in str(listed)

    desk.corpus.revise(handbook, "员工手册", HANDBOOK.replace("三天以内", "五天以内"))
    assert statuses(admin, handbook) == [(1, "current")]
    assert turn_of(desk, asked)["stale"] == []

    desk.corpus.revise(handbook, "员工手册", HANDBOOK.replace("三月三十一日", "六月三十日"))
    assert statuses(admin, handbook) == [(1, "replaced")]
    turn = turn_of(desk, asked)
    assert turn["stale"] == [{"document_id": handbook, "version": 1, "status": "replaced", "current_version": 3}]
    assert turn["answer"] == asked["answer"]

    desk.corpus.revise(handbook, "员工手册", HANDBOOK)  # the rule is back, and with it what the answer quotes
    assert statuses(admin, handbook) == [(1, "current")]
    assert turn_of(desk, asked)["stale"] == []


def test_a_version_out_of_its_dates_is_retracted(desk: Desk, admin: httpx.Client) -> None:
    asked, handbook = ask(desk, QUESTION), desk.documents["handbook"]
    execute(desk, "UPDATE versions SET effective_to = now() WHERE document_id = :id", id=handbook)
    assert statuses(admin, handbook) == [(1, "retracted")]
    turn = turn_of(desk, asked)
    assert turn["stale"] == [{"document_id": handbook, "version": 1, "status": "retracted", "current_version": None}]


def test_of_a_deleted_document_the_answer_is_withheld_and_the_reason_shown(desk: Desk, admin: httpx.Client) -> None:
    asked, handbook = ask(desk, QUESTION), desk.documents["handbook"]
    desk.corpus.delete(handbook)
    turn = turn_of(desk, asked)
    assert (turn["answer"], turn["citations"], turn["reason"]) == (None, [], "access_withdrawn")
    assert [(item["status"], item["current_version"]) for item in turn["stale"]] == [("retracted", None)]
    assert statuses(admin, handbook) == [(1, "retracted")]
    execute(desk, "UPDATE documents SET erased_at = now() WHERE id = :id", id=handbook)
    assert [item["status"] for item in turn_of(desk, asked)["stale"]] == ["erased"]
    assert statuses(admin, handbook) == [(1, "erased")]


def test_who_has_lost_access_is_told_nothing_of_what_happened_since(desk: Desk, admin: httpx.Client) -> None:
    asked, salary = ask(desk, PAY, "hr"), desk.documents["salary"]
    desk.corpus.leave(desk.people["hr"], "hr")
    withheld = turn_of(desk, asked, "hr")
    assert (withheld["answer"], withheld["stale"]) == (None, [])
    desk.corpus.revise(salary, "薪酬制度", "薪酬信息不得外传。")
    assert turn_of(desk, asked, "hr") == withheld
    desk.corpus.delete(salary)
    assert turn_of(desk, asked, "hr") == withheld
    execute(desk, "UPDATE documents SET erased_at = now() WHERE id = :id", id=salary)
    assert turn_of(desk, asked, "hr") == withheld
    assert statuses(admin, salary) == [(1, "erased")]


def test_they_are_listed_in_pages_and_by_status(desk: Desk, admin: httpx.Client) -> None:
    handbook = desk.documents["handbook"]
    first = ask(desk, QUESTION)["trace_id"]
    desk.corpus.revise(handbook, "员工手册", HANDBOOK.replace("三月三十一日", "六月三十日"))
    second, third = (ask(desk, QUESTION)["trace_id"] for _ in range(2))
    path = f"/v1/documents/{handbook}/answers"
    page = admin.get(path, params={"limit": 2}).json()
    rest = admin.get(path, params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [item["trace_id"] for item in page["items"] + rest["items"]] == [third, second, first]
    assert rest["next_cursor"] is None
    assert statuses(admin, handbook, status="replaced") == [(1, "replaced")]
    assert statuses(admin, handbook, status="current") == [(2, "current"), (2, "current")]
    assert admin.get(path, params={"cursor": "eA"}).json()["code"] == "invalid_cursor"
    assert admin.get(path, params={"status": "old"}).status_code == 422


def test_an_answer_without_citations_has_no_sources(desk: Desk) -> None:
    with desk.client() as client:
        asked = client.post("/v1/ask", json={"question": "公司的股票代码是什么？"}).json()
        assert asked["abstained"]
        turn = client.get(f"/v1/conversations/{asked['conversation_id']}").json()["turns"][0]
    assert turn["stale"] == []


def test_only_those_who_answer_for_the_document_see_them(desk: Desk, admin: httpx.Client) -> None:
    ask(desk, QUESTION)
    handbook, salary = desk.documents["handbook"], desk.documents["salary"]
    with desk.client("employee") as employee:
        assert employee.get(f"/v1/documents/{handbook}/answers").json()["code"] == "forbidden"
        assert employee.get(f"/v1/documents/{salary}/answers").json()["code"] == "document_not_found"
        desk.corpus.delete(handbook)
        assert employee.get(f"/v1/documents/{handbook}/answers").json()["code"] == "document_not_found"
    assert admin.get(f"/v1/documents/{salary}/answers").json()["items"] == []
    assert admin.get("/v1/documents/unknown/answers").json()["code"] == "document_not_found"
