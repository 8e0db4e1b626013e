"""Traces: every search and answer leaves one, with its audit records, before anything is shown."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from ingestion.publish import Publisher
from ingestion.schedule import Housekeeper
from ingestion.tasks import Workbench
from kbcore.audit.events import AuditEvent
from kbcore.domain.document import Classification
from kbcore.domain.ids import first_id_at, new_id
from kbcore.domain.principal import Caller
from kbcore.errors import AclUnavailable, Unauthenticated
from kbcore.metadata import users
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.tables import audit_events, traces
from services.auth.api_keys import issue_key
from services.query.pipeline import search
from services.query.record import recorded_search
from services.query.request import SearchRequest
from services.query.trace import trace_of_search
from tests.integration.asking import Desk

QUESTION = "年假可以结转吗？"
CHAT = {"messages": [{"role": "user", "content": QUESTION}]}


def rows(desk: Desk) -> list[dict[str, Any]]:
    with desk.corpus.platform.database.begin() as connection:
        return [dict(row) for row in connection.execute(sa.select(traces).order_by(traces.c.id)).mappings()]


def events(desk: Desk, prefix: str = "") -> list[dict[str, Any]]:
    query = sa.select(audit_events).where(audit_events.c.kind.startswith(prefix)).order_by(audit_events.c.seq)
    with desk.corpus.platform.database.begin() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def join(desk: Desk, name: str, *groups: str, is_admin: bool = False, is_auditor: bool = False) -> httpx.Client:
    caller = desk.corpus.person(name, *groups, clearance=Classification.RESTRICTED, is_admin=is_admin)
    with desk.corpus.platform.database.begin() as connection:
        users.update_user(connection, caller.user_id, {"is_auditor": is_auditor})
        desk.keys[name] = issue_key(connection, user_id=caller.user_id, name="test").token
        desk.people[name] = resolve_caller(connection, caller.user_id) or caller
    return desk.client(name)


def test_every_route_leaves_a_trace_and_its_audit_records(desk: Desk) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日。[1]"
    space = desk.corpus.spaces["public"]
    with desk.client() as client:
        calls = [
            ("/v1/search", {"query": QUESTION}),
            ("/v1/ask", {"question": QUESTION}),
            ("/v1/ask", {"question": QUESTION, "stream": True}),
            ("/v1/chat/completions", {"model": "say", **CHAT}),
            ("/v1/chat/completions", {"model": "say", "stream": True, **CHAT}),
            ("/retrieval", {"knowledge_id": space, "query": QUESTION, "retrieval_setting": {"top_k": 2}}),
        ]
        for path, body in calls:
            response = client.post(path, json=body).raise_for_status()
            row = rows(desk)[-1]
            assert row["trace_id"] == response.headers["X-Trace-Id"]
            assert row["question"] == QUESTION
            found = row["path"]["passages"]
            assert found[0]["document_id"] == desk.documents["handbook"]
            kinds = [
                each["kind"] for each in events(desk) if each["trace_id"] == row["trace_id"] and "." in each["kind"]
            ]
            answers = path in ("/v1/ask", "/v1/chat/completions")
            assert [k for k in kinds if k in ("search.retrieved", "model.called", "answer.given")] == (
                ["search.retrieved", "model.called", "answer.given"] if answers else ["search.retrieved"]
            )
            if answers:
                assert row["path"]["answer"]["outcome"] == "answered"
                assert row["path"]["answer"]["cited"]
                assert len(row["prompt_hash"]) == 64
    assert len(rows(desk)) == len(calls)
    assert rows(desk)[3]["prompt_hash"] == rows(desk)[4]["prompt_hash"]
    assert rows(desk)[3]["model"] == "say"


def test_nothing_in_a_trace_or_its_audit_records_quotes_a_document(desk: Desk) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日。[1]"
    with desk.client() as client:
        client.post("/v1/ask", json={"question": QUESTION, "model": "say"}).raise_for_status()
    path = json.dumps(rows(desk)[0]["path"], ensure_ascii=False)
    for word in ("三月三十一日", "员工手册", "逾期作废", "病假", "Travel"):
        assert word not in path
    recorded = json.dumps([each["detail"] for each in events(desk)], ensure_ascii=False)
    assert "年假" not in recorded
    assert "员工手册" not in recorded


def test_what_cannot_be_recorded_is_not_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AclUnavailable

    monkeypatch.setattr(desk.corpus.platform.audit, "append", broken)
    with desk.client() as client:
        for path, body in (
            ("/v1/search", {"query": QUESTION}),
            ("/v1/ask", {"question": QUESTION}),
            ("/v1/ask", {"question": QUESTION, "stream": True}),
            ("/v1/chat/completions", {"model": "zhiku", **CHAT}),
        ):
            response = client.post(path, json=body)
            assert response.status_code == 503
            assert "年假" not in response.text
    assert rows(desk) == []


def test_an_answer_whose_client_leaves_is_recorded_as_that(desk: Desk) -> None:
    desk.chat.answer = "员工入职满一年后享有五天年假。[1]" * 200
    body = {"question": QUESTION, "model": "slow", "stream": True}
    with desk.client() as client, client.stream("POST", "/v1/ask", json=body) as response:
        next(response.iter_lines())
        assert rows(desk)[0]["path"]["answer"] is None, "the retrieval is on record before its event"
    assert desk.chat.hung_up.wait(10)
    while not (answer := rows(desk)[0]["path"]["answer"]):
        time.sleep(0.02)
    assert answer["outcome"] == "left"
    assert [each["model"] for each in answer["prompts"]] == ["slow"]
    called = events(desk, "model.called")[0]["detail"]
    assert called["outcome"] == "left"
    assert called["prompt_tokens"] == answer["prompt_tokens"] > 0
    with desk.client() as client:
        spent = client.get("/v1/usage").raise_for_status().json()["total"]
    assert spent["prompt_tokens"] == answer["prompt_tokens"], "who leaves early pays for what was read all the same"


def test_a_model_that_fails_and_the_one_that_stands_in_are_both_recorded(desk: Desk) -> None:
    with desk.client() as client:
        client.post("/v1/ask", json={"question": QUESTION, "model": "broken"}).raise_for_status()
    assert [each["model"] for each in rows(desk)[0]["path"]["answer"]["prompts"]] == ["broken", "extractive"]
    called = [(each["detail"]["model"], each["detail"]["outcome"]) for each in events(desk, "model.called")]
    assert called == [("broken", "failed"), ("extractive", "answered")]


def test_the_pipeline_itself_leaves_none(desk: Desk) -> None:
    search(desk.corpus.platform, desk.people["employee"], SearchRequest(QUESTION, 3))
    assert rows(desk) == []
    assert events(desk, "search.") == []


def test_who_sees_a_trace_and_what_of_it(desk: Desk) -> None:
    with (
        join(desk, "admin", is_admin=True) as admin,
        join(desk, "auditor", "hr", is_auditor=True) as auditor,
        desk.client("hr") as hr,
        desk.client() as employee,
    ):
        question = "P5 级工程师的月薪范围是多少？"
        trace_id = hr.post("/v1/search", json={"query": question}).raise_for_status().json()["trace_id"]
        own = hr.get(f"/v1/traces/{trace_id}").raise_for_status().json()
        salary = desk.documents["salary"]
        assert own["question"] == question
        assert salary in {each["document_id"] for each in own["passages"]}
        assert own["refused"] is None
        hidden, unknown = employee.get(f"/v1/traces/{trace_id}"), employee.get(f"/v1/traces/{'0' * 32}")
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.json()["code"] == unknown.json()["code"] == "trace_not_found"
        seen = admin.get(f"/v1/traces/{trace_id}").raise_for_status()
        assert seen.json()["question"] is None
        assert seen.json()["question_withheld"]
        assert seen.json()["request"] is None
        assert seen.json()["withheld"] == 1
        assert salary not in seen.text
        assert "薪酬制度" not in seen.text
        assert auditor.get(f"/v1/traces/{trace_id}").json()["question"] == question
        read = events(desk, "trace.read")
        assert [(each["actor"], each["detail"]["asker"]) for each in read][-1] == (
            desk.people["auditor"].user_id,
            desk.people["hr"].user_id,
        )
        desk.corpus.leave(desk.people["hr"], "hr")
        after = hr.get(f"/v1/traces/{trace_id}").raise_for_status()
        assert after.json()["withheld"] == 1
        assert salary not in after.text
        assert after.json()["question"] == question, "it is the asker's own"


def test_a_trace_id_that_several_requests_share(desk: Desk) -> None:
    chosen = "ab" * 16
    headers = {"traceparent": f"00-{chosen}-{'1' * 16}-01"}
    with desk.client() as employee, desk.client("hr") as hr:
        for client, query in ((employee, "first"), (hr, "second"), (employee, "third")):
            client.post("/v1/search", json={"query": query}, headers=headers).raise_for_status()
        newest = employee.get(f"/v1/traces/{chosen}").json()
        assert newest["question"] == "third"
        (older,) = newest["same_trace"]
        assert employee.get(f"/v1/traces/{older}").json()["question"] == "first"
        assert hr.get(f"/v1/traces/{chosen}").json()["question"] == "second"
        assert hr.get(f"/v1/traces/{older}").status_code == 404


def test_traces_are_kept_as_long_as_the_settings_say(desk: Desk) -> None:
    platform = desk.corpus.platform
    with desk.client() as client:
        for query in ("old", "older", "new"):
            client.post("/v1/search", json={"query": query}).raise_for_status()
    old = first_id_at(datetime.now(UTC) - timedelta(days=90, minutes=1))
    with platform.database.begin() as connection:
        connection.execute(
            sa.text("UPDATE traces SET id = overlay(id PLACING :then FROM 1 FOR 13) WHERE question <> 'new'"),
            {"then": old},
        )
    bench = Workbench(platform, Publisher(platform))
    forever = platform.settings.traces.model_copy(update={"keep_days": 0})
    kept = platform.settings
    platform.settings = kept.model_copy(update={"traces": forever})
    Housekeeper(bench).prune_traces()
    assert len(rows(desk)) == 3
    platform.settings = kept
    Housekeeper(bench).prune_traces()
    assert [row["question"] for row in rows(desk)] == ["new"]
    bench.close()


def test_requests_that_share_a_transaction_do_not_share_a_fate(desk: Desk) -> None:
    platform, employee = desk.corpus.platform, desk.people["employee"]
    gone = replace(employee, user_id=new_id())

    def ask_as(caller: Caller) -> bool:
        try:
            recorded_search(platform, caller, SearchRequest("hotel", 3))
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(ask_as, [employee, gone, employee, employee] * 6))
    assert answered == [True, False, True, True] * 6
    assert len(rows(desk)) == 18
    written = events(desk, "search.retrieved")
    assert {each["actor"] for each in written} == {employee.user_id}
    assert {each["detail"]["trace"] for each in written} == {row["id"] for row in rows(desk)}


def test_one_that_sql_does_not_take_spoils_nobody_elses(desk: Desk) -> None:
    """What a model made of a question, say, may hold what SQL has no form for."""
    platform, employee = desk.corpus.platform, desk.people["employee"]
    request = SearchRequest("hotel", 3)
    found = search(platform, employee, request)

    def keep(number: int) -> bool:
        trace = trace_of_search(employee, request, found)
        odd = replace(trace, asked={**trace.asked, "standalone": "a\x00b"}) if number % 3 == 0 else trace
        try:
            platform.traces.begin(odd, AuditEvent("search.retrieved", actor=employee.user_id))
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        kept = list(pool.map(keep, range(48)))
    assert kept == [number % 3 != 0 for number in range(48)]
    assert len(rows(desk)) == len(events(desk, "search.retrieved")) == 32
