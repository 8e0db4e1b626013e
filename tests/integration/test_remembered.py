"""Answers that are given again: to whom, how long, and that nothing of them is left when a source goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from kbcore.domain.document import Classification
from kbcore.embedding.questions import QuestionVectors
from kbcore.metadata import cached_answers, retention, scrub, users
from kbcore.metadata.tables import cached_answers as rows_table
from kbcore.metadata.tables import documents, versions
from services.auth.api_keys import issue_key
from services.query.pipeline import ask
from services.query.remembered import GIVEN_BEFORE
from services.query.request import AskRequest
from tests.embedders import bundled
from tests.integration.asking import HANDBOOK, Desk

QUESTION = "年假可以结转吗？"
GOOD = "年假可以结转至次年三月三十一日。[1]"


@pytest.fixture(autouse=True)
def remembering(desk: Desk) -> None:
    remember(desk, 60)
    desk.chat.answer = GOOD


def remember(desk: Desk, minutes: int) -> None:
    platform = desk.corpus.platform
    answer = platform.settings.answer.model_copy(update={"remember_minutes": minutes})
    platform.settings = platform.settings.model_copy(update={"answer": answer})


@contextmanager
def somebody(desk: Desk, name: str, *groups: str, is_auditor: bool = False) -> Iterator[httpx.Client]:
    caller = desk.corpus.person(name, *groups)
    with desk.corpus.platform.database.begin() as connection:
        users.update_user(connection, caller.user_id, {"is_auditor": is_auditor})
        desk.keys[name] = issue_key(connection, user_id=caller.user_id, name="t").token
    with desk.client(name) as client:
        yield client


def say(client: httpx.Client, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    body = {"question": question, "model": "say", **more}
    return dict(client.post("/v1/ask", json=body).raise_for_status().json())


def kept(desk: Desk) -> list[dict[str, Any]]:
    with desk.corpus.platform.database.begin() as connection:
        return [dict(row) for row in connection.execute(sa.select(rows_table)).mappings()]


def test_the_same_question_of_the_same_rights_asks_no_model(desk: Desk) -> None:
    with desk.client() as employee, somebody(desk, "colleague") as colleague:
        first = say(employee)
        for client, question in ((employee, QUESTION), (colleague, "请问年假可以结轉嗎")):
            again = say(client, question)
            assert (again["answer"], again["citations"]) == (first["answer"], first["citations"])
            assert again["routed_because"] == GIVEN_BEFORE
            assert again["usage"]["total_tokens"] == 0
            assert again["trace_id"] != first["trace_id"]
        streamed = colleague.post("/v1/ask", json={"question": QUESTION, "model": "say", "stream": True}).text
        assert GIVEN_BEFORE in streamed
    assert len(desk.chat.requests) == 1
    row = kept(desk)[0]
    assert QUESTION not in str(row)
    assert row["documents"] == sorted({*row["documents"]})


def test_the_trace_names_the_first_to_those_who_oversee(desk: Desk) -> None:
    with desk.client() as employee, somebody(desk, "colleague") as colleague:
        first, again = say(employee), say(colleague)
        own = colleague.get(f"/v1/traces/{again['trace_id']}").raise_for_status().json()
        assert own["answer"]["given_before"] is None, "that somebody else has asked is nobody's to know by name"
        assert own["answer"]["prompts"] == []
        with somebody(desk, "auditor", is_auditor=True) as auditor:
            seen = auditor.get(f"/v1/traces/{again['trace_id']}").raise_for_status().json()
            assert seen["answer"]["given_before"] == first["trace_id"]
        figures = colleague.get("/v1/usage", params={"by": "model"}).json()["items"]
        assert [(each["key"], each["requests"], each["cost_micros"]) for each in figures] == [("", 1, 0)]


def test_other_rights_another_answer(desk: Desk) -> None:
    with desk.client() as employee, desk.client("hr") as hr, somebody(desk, "colleague") as colleague:
        say(employee)
        assert say(hr)["routed_because"] != GIVEN_BEFORE
        desk.corpus.join(desk.corpus.person("unused"), "hr")
        assert say(colleague)["routed_because"] == GIVEN_BEFORE
    assert len(desk.chat.requests) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"question": "年假不可以结转吗？"},
        {"question": "病假可以结转吗？"},
        {"spaces": ["public"]},
        {"model": "slow"},
        {"as_of": "2026-11-01T00:00:00Z"},
    ],
)
def test_another_question_is_not_the_same(desk: Desk, other: dict[str, Any]) -> None:
    with desk.client() as employee:
        say(employee)
        response = employee.post("/v1/ask", json={"question": QUESTION, "model": "say", **other}).raise_for_status()
        assert response.json()["routed_because"] != GIVEN_BEFORE


@pytest.mark.parametrize(("words", "begins", "day"), [("去年的", 0, "三月三十一日"), ("明年的", 1, "六月三十日")])
def test_time_words_mean_another_day_and_are_not_remembered(desk: Desk, words: str, begins: int, day: str) -> None:
    begin = datetime(datetime.now(UTC).year + begins, 1, 1, tzinfo=UTC)
    with desk.corpus.platform.database.begin() as connection:
        handbook = documents.c.id == desk.documents["handbook"]
        connection.execute(documents.update().where(handbook).values(effective_from=begin))
    desk.corpus.revise(desk.documents["handbook"], "员工手册", HANDBOOK.replace("三月三十一日", "六月三十日"))
    desk.chat.answer = GOOD.replace("三月三十一日", day)
    with desk.client() as employee:
        moved = say(employee, f"{words}{QUESTION}")
        assert "有效的版本" in moved["answer"]
        assert say(employee, f"{words}{QUESTION}")["routed_because"] != GIVEN_BEFORE
    assert kept(desk) == []


def test_what_was_said_before_and_chance_are_not_remembered(desk: Desk) -> None:
    with desk.client() as employee:
        first = say(employee)
        assert say(employee, conversation_id=first["conversation_id"])["routed_because"] != GIVEN_BEFORE
        chat = {"model": "say", "messages": [{"role": "user", "content": QUESTION}]}
        for temperature in (0.7, 0.7):
            employee.post("/v1/chat/completions", json={**chat, "temperature": temperature}).raise_for_status()
        assert len(desk.chat.requests) == 4
        employee.post("/v1/chat/completions", json={**chat, "temperature": 0}).raise_for_status()
        assert len(desk.chat.requests) == 4


def test_abstentions_broken_answers_and_stand_ins_are_not_kept(desk: Desk) -> None:
    with desk.client() as employee:
        employee.post("/v1/ask", json={"question": "How far is the moon?", "model": "say"}).raise_for_status()
        for model in ("broken", "cut"):
            say(employee, model=model)
        desk.chat.answer = "NO_ANSWER"
        say(employee)
    assert kept(desk) == []


def test_off_unless_it_is_wanted_and_never_for_measurements(desk: Desk) -> None:
    asked = AskRequest(QUESTION, model="say")
    list(ask(desk.corpus.platform, desk.people["employee"], asked))
    assert kept(desk) == []
    remember(desk, 0)
    with desk.client() as employee:
        say(employee)
        assert say(employee)["routed_because"] != GIVEN_BEFORE
    assert kept(desk) == []


def test_a_new_version_or_a_new_title_ends_it(desk: Desk) -> None:
    with desk.client() as employee:
        say(employee)
        desk.corpus.revise(desk.documents["handbook"], "员工手册", HANDBOOK.replace("三月三十一日", "六月三十日"))
        desk.chat.answer = GOOD.replace("三月三十一日", "六月三十日")
        renewed = say(employee)
        assert "六月三十日" in renewed["answer"]
        assert say(employee)["routed_because"] == GIVEN_BEFORE
        with desk.corpus.platform.database.begin() as connection:
            connection.execute(
                documents.update().where(documents.c.id == desk.documents["handbook"]).values(title="手册")
            )
        retitled = say(employee)
        assert retitled["routed_because"] != GIVEN_BEFORE
        assert retitled["citations"][0]["title"] == "手册"


def test_a_source_that_is_more_secret_now_ends_it(desk: Desk) -> None:
    with desk.client("hr") as hr:
        say(hr)
        with desk.corpus.platform.database.begin() as connection:
            secret = documents.update().where(documents.c.id == desk.documents["salary"])
            connection.execute(secret.values(classification=int(Classification.RESTRICTED)))
        assert say(hr)["routed_because"] != GIVEN_BEFORE, "it was written from it, though it does not cite it"


def test_it_ends_when_something_else_comes_into_force(desk: Desk) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    desk.corpus.add("public", "新规定", "自下季度起差旅改为自行预订。", effective=(soon, None))
    with desk.client() as employee:
        say(employee)
    assert [row["expires_at"] for row in kept(desk)] == [soon]
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(rows_table.update().values(expires_at=datetime.now(UTC)))
        assert cached_answers.prune(connection) == 1


def test_the_end_of_a_version_is_an_end_too(desk: Desk) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    with desk.corpus.platform.database.begin() as connection:
        handbook = versions.c.document_id == desk.documents["handbook"]
        connection.execute(versions.update().where(handbook).values(effective_to=soon))
    with desk.client() as employee:
        say(employee)
        while datetime.now(UTC) <= soon:
            time.sleep(0.05)
        ended = say(employee)
        assert ended["routed_because"] != GIVEN_BEFORE
        assert not [each for each in ended["citations"] if each["document_id"] == desk.documents["handbook"]]


def test_erasure_and_purge_take_it_along(desk: Desk) -> None:
    database = desk.corpus.platform.database
    for forget in (scrub.forget_mentions, lambda c, document: retention.forget_texts(c, [(document, 99)])):
        with desk.client() as employee:
            say(employee)
        with database.begin() as connection:
            assert scrub.mentions(connection, desk.documents["handbook"]).remembered == 1
            forget(connection, desk.documents["handbook"])
            assert scrub.mentions(connection, desk.documents["handbook"]).remembered == 0
    assert kept(desk) == []


def test_an_answer_that_is_late_is_not_kept_for_what_was_erased_meanwhile(desk: Desk) -> None:
    platform = desk.corpus.platform
    events = ask(platform, desk.people["employee"], AskRequest(QUESTION, model="say"), remembers=True)
    next(events)
    with platform.database.begin() as connection:
        scrub.end_document(connection, desk.documents["handbook"], "test")
    assert list(events)
    assert kept(desk) == []


def test_vectors_of_questions_are_bounded() -> None:
    vectors, embedder = QuestionVectors(most=2), bundled()
    first = vectors.of(embedder, "年假")
    assert vectors.of(embedder, "年假") is first
    for text in ("病假", "事假"):
        vectors.of(embedder, text)
    again = vectors.of(embedder, "年假")
    assert again is not first
    assert (again == first).all()
    assert not again.flags.writeable
