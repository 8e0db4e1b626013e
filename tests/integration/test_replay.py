"""Replay: what an answer was written from, once more, to the byte; and nothing to whom it is not for."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from kbcore.domain.document import Classification
from kbcore.domain.principal import UserKind
from kbcore.metadata import users
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.tables import audit_events
from services.auth.api_keys import issue_key
from services.auth.authenticate import ON_BEHALF_OF
from tests.integration.asking import HANDBOOK, Desk

QUESTION = "年假可以结转吗？"
PAY = "P5 级工程师的月薪范围是多少？"
GOOD = "年假可以结转至次年三月三十一日。[1]"


@pytest.fixture
def employee(desk: Desk) -> Iterator[httpx.Client]:
    """Somebody who reads the public space."""
    with desk.client() as client:
        yield client


@pytest.fixture
def auditor(desk: Desk) -> Iterator[httpx.Client]:
    """An auditor who reads the public space."""
    caller = desk.corpus.person("auditor", clearance=Classification.RESTRICTED)
    with desk.corpus.platform.database.begin() as connection:
        users.update_user(connection, caller.user_id, {"is_auditor": True})
        desk.keys["auditor"] = issue_key(connection, user_id=caller.user_id, name="test").token
        desk.people["auditor"] = resolve_caller(connection, caller.user_id) or caller
    with desk.client("auditor") as client:
        yield client


def ask(client: httpx.Client, question: str = QUESTION, **body: Any) -> dict[str, Any]:
    return dict(client.post("/v1/ask", json={"question": question, **body}).raise_for_status().json())


def replay(client: httpx.Client, trace_id: str) -> dict[str, Any]:
    return dict(client.post(f"/v1/traces/{trace_id}/replay").raise_for_status().json())


def execute(desk: Desk, statement: str, **values: object) -> None:
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(sa.text(statement), values)


def test_the_prompt_is_the_one_that_was_sent(desk: Desk, employee: httpx.Client) -> None:
    desk.chat.answer = GOOD
    sent = ask(employee, model="say")
    again = replay(employee, sent["trace_id"])
    assert (again["identical"], again["why_not"]) == (True, None)
    assert again["prompt"] == desk.chat.requests[-1]["messages"]
    for passage in again["context"]:
        text = desk.corpus.text_of(passage["document_id"], passage["version"])
        assert passage["text"] == text[passage["start"] : passage["end"]]
    assert again["today"]["same_model"] is again["today"]["same_index"] is again["today"]["same_template"] is True
    for difference in ("unreadable", "not_found", "added"):
        assert again["today"][difference] == {"shown": [], "withheld": 0}


def test_quoted_answers_and_follow_ups_too(desk: Desk, employee: httpx.Client) -> None:
    first = ask(employee, "病假需要什么证明？")
    assert replay(employee, first["trace_id"])["identical"] is True
    desk.chat.answer = "三天以内由直属主管批准。[1]"
    second = ask(employee, "那由谁批准呢？", conversation_id=first["conversation_id"], model="say")
    again = replay(employee, second["trace_id"])
    assert again["identical"] is True
    assert [message["role"] for message in again["prompt"]] == ["system", "user", "assistant", "user"]
    assert again["prompt"] == desk.chat.requests[-1]["messages"]
    employee.delete(f"/v1/conversations/{first['conversation_id']}").raise_for_status()
    gone = replay(employee, second["trace_id"])
    assert (gone["identical"], gone["why_not"], gone["prompt"]) == (False, "history_gone", None)


def test_history_that_only_the_client_has(desk: Desk, employee: httpx.Client) -> None:
    desk.chat.answer = GOOD
    history = [{"role": "user", "content": "病假？"}, {"role": "assistant", "content": "需要证明。"}]
    messages = [*history, {"role": "user", "content": QUESTION}]
    answer = employee.post("/v1/chat/completions", json={"model": "say", "messages": messages}).raise_for_status()
    again = replay(employee, answer.headers["X-Trace-Id"])
    assert (again["identical"], again["why_not"]) == (False, "history_not_kept")
    assert again["context"]


def test_a_new_version_changes_today_and_not_the_past(desk: Desk, employee: httpx.Client) -> None:
    desk.chat.answer = GOOD
    old = ask(employee, model="say")
    handbook = desk.documents["handbook"]
    desk.corpus.revise(handbook, "员工手册（新）", HANDBOOK.replace("三月三十一日", "六月三十日"))
    again = replay(employee, old["trace_id"])
    assert again["identical"] is True
    assert again["prompt"] == desk.chat.requests[-1]["messages"]
    assert "三月三十一日" in again["context"][0]["text"]
    today = again["today"]
    assert today["epoch"] > old["epoch"]
    assert {place["version"] for place in today["not_found"]["shown"] if place["document_id"] == handbook} == {1}
    assert {place["version"] for place in today["added"]["shown"] if place["document_id"] == handbook} == {2}


def test_another_index_has_the_same_places(desk: Desk, employee: httpx.Client) -> None:
    old = ask(employee)
    generation = desk.corpus.generation.id
    columns = 'document_id, version, ordinal, chunk_id, start, "end", heading, page, kind'
    execute(desk, "INSERT INTO generations (collection, embedding, dimension, chunking, state) "
        "SELECT 'other', embedding, dimension, chunking, 'retired' FROM generations")  # fmt: skip
    execute(desk, "INSERT INTO chunks SELECT (SELECT max(id) FROM generations), id, document_id, text, embedded_hash, "
        "language, tokens, terms, valid_from, valid_to FROM chunks")  # fmt: skip
    execute(desk, f"INSERT INTO version_chunks (generation_id, {columns}) "
        f"SELECT (SELECT max(id) FROM generations), {columns} FROM version_chunks")  # fmt: skip
    execute(desk, "UPDATE traces SET question = question")
    with_both = replay(employee, old["trace_id"])
    execute(desk, "DELETE FROM version_chunks WHERE generation_id = :id", id=generation)
    without = replay(employee, old["trace_id"])
    assert with_both["identical"] is without["identical"] is True
    execute(desk, "DELETE FROM version_chunks")
    assert replay(employee, old["trace_id"])["why_not"] == "place_gone"


def test_what_is_gone_is_said(desk: Desk, employee: httpx.Client) -> None:
    desk.chat.answer = GOOD
    old = ask(employee, model="say")
    model = desk.corpus.platform.answer_models.pop("say")
    assert replay(employee, old["trace_id"])["why_not"] == "model_gone"
    desk.corpus.platform.answer_models["say"] = model
    execute(desk, "UPDATE documents SET title = 'New' WHERE id = :id", id=desk.documents["handbook"])
    assert replay(employee, old["trace_id"])["identical"] is True, "the version has kept the title of then"
    execute(desk, "UPDATE versions SET text = 'x' || text WHERE document_id = :id", id=desk.documents["handbook"])
    assert replay(employee, old["trace_id"])["why_not"] == "changed"
    execute(desk, "UPDATE versions SET text = NULL WHERE document_id = :id", id=desk.documents["handbook"])
    purged = replay(employee, old["trace_id"])
    assert (purged["identical"], purged["why_not"], purged["context"], purged["prompt"]) == (
        False, "text_gone", None, None,
    )  # fmt: skip
    execute(desk, "UPDATE traces SET question = '', path = jsonb_set(path, '{asked}', '{}')")
    erased = replay(employee, old["trace_id"])
    assert (erased["why_not"], erased["today"], erased["today_why_not"]) == ("question_erased", None, "question_erased")


def test_a_search_has_passages_and_no_prompt(desk: Desk, employee: httpx.Client) -> None:
    found = employee.post("/v1/search", json={"query": QUESTION, "top_k": 2}).raise_for_status().json()
    again = replay(employee, found["trace_id"])
    assert (again["identical"], again["why_not"], again["prompt"]) == (None, "no_model_asked", None)
    assert [each["text"] for each in again["context"]] == [each["text"] for each in found["results"]]
    assert again["today"]["model"] is None


def test_nothing_is_shown_to_whom_it_is_not_for(desk: Desk, employee: httpx.Client, auditor: httpx.Client) -> None:
    desk.chat.answer = "P5 级工程师的月薪范围是 18,000 至 26,000 元。[1]"
    with desk.client("hr") as hr:
        trace_id = ask(hr, PAY, model="say")["trace_id"]
        assert replay(hr, trace_id)["identical"] is True
        assert employee.post(f"/v1/traces/{trace_id}/replay").status_code == 404
        audited = replay(auditor, trace_id)
        assert (audited["identical"], audited["withheld"], audited["context"]) == (True, True, None)
        for hidden in ("18,000", "薪酬", "P5", desk.documents["salary"]):
            assert hidden not in str(audited)
        desk.corpus.leave(desk.people["hr"], "hr")
        after = replay(hr, trace_id)
        assert (after["identical"], after["why_not"], after["context"]) == (None, "access_withdrawn", None)
        assert after["today"]["unreadable"] == {"shown": [], "withheld": 1}
        assert desk.documents["salary"] not in str(after)
        assert replay(auditor, trace_id)["today"]["unreadable"]["withheld"] == 1
    with desk.corpus.platform.database.begin() as connection:
        query = sa.select(audit_events).where(audit_events.c.kind == "trace.replayed").order_by(audit_events.c.seq)
        recorded = list(connection.execute(query).mappings())
    assert len(recorded) == 4
    assert [row["documents"] for row in recorded[1:]] == [[], [], []]


def test_an_earlier_answer_that_may_not_be_read_keeps_the_prompt_back(desk: Desk) -> None:
    with desk.client("hr") as hr:
        first = ask(hr, PAY)
        desk.chat.answer = GOOD
        second = ask(hr, QUESTION, conversation_id=first["conversation_id"], model="say", spaces=["public"])
        assert "18,000" in str(replay(hr, second["trace_id"])["prompt"])
        desk.corpus.leave(desk.people["hr"], "hr")
        again = replay(hr, second["trace_id"])
    assert (again["identical"], again["why_not"], again["prompt"]) == (None, "access_withdrawn", None)
    assert "18,000" not in str(again)
    assert again["context"], "the passages themselves may be read"


def test_an_asker_who_cannot_ask_any_more(desk: Desk, auditor: httpx.Client, employee: httpx.Client) -> None:
    trace_id = ask(employee)["trace_id"]
    execute(desk, "UPDATE users SET active = false WHERE id = :id", id=desk.people["employee"].user_id)
    again = replay(auditor, trace_id)
    assert (again["identical"], again["today"], again["today_why_not"]) == (True, None, "asker_inactive")
    assert again["prompt"], "the auditor may read every document of it"


def test_earlier_questions_in_a_follow_up_are_the_askers_only(desk: Desk, auditor: httpx.Client) -> None:
    platform, secret = desk.corpus.platform, "薪酬信息可以外传吗？"
    subject = "薪酬信息外传"  # what the follow-up takes from it
    asked_always = platform.settings.answer.model_copy(update={"min_score_zh": 0.0})
    platform.settings = platform.settings.model_copy(update={"answer": asked_always})
    desk.chat.answer = GOOD
    with desk.client("hr") as hr:
        first = ask(hr, secret)
        second = ask(hr, "那年假结转呢？", conversation_id=first["conversation_id"], model="say", spaces=["public"])
        own = hr.get(f"/v1/traces/{second['trace_id']}").raise_for_status().json()
        assert subject in own["request"]["standalone"]
        assert secret in str(replay(hr, second["trace_id"])["prompt"])
    assert auditor.get(f"/v1/traces/{first['trace_id']}").json()["question"] is None
    seen = auditor.get(f"/v1/traces/{second['trace_id']}").raise_for_status()
    assert seen.json()["question"] == "那年假结转呢？"
    assert seen.json()["request"]["standalone"] is None
    assert "薪酬信息" not in seen.text
    again = replay(auditor, second["trace_id"])
    assert (again["identical"], again["prompt"]) == (True, None)
    assert "薪酬" not in str(again)


def test_who_acts_for_an_administrator_learns_no_more_by_a_replay(desk: Desk) -> None:
    boss = desk.corpus.person("boss", "hr", is_admin=True)
    with desk.corpus.platform.database.begin() as connection:
        app = users.create_user(
            connection,
            name="app",
            display_name="app",
            email=None,
            clearance=Classification.PUBLIC,
            is_admin=False,
            kind=UserKind.SERVICE,
        )
        desk.keys["app"] = issue_key(connection, user_id=app.id, name="test", acts_for=True).token
    with desk.client("app") as client:
        client.headers[ON_BEHALF_OF] = boss.user_id
        body = {"query": PAY, "spaces": ["hr"]}
        trace_id = client.post("/v1/search", json=body).raise_for_status().json()["trace_id"]
        desk.corpus.leave(boss, "hr")
        assert client.post("/v1/search", json=body).status_code == 404
        again = replay(client, trace_id)
    assert (again["today"], again["today_why_not"]) == (None, "space_not_found")
