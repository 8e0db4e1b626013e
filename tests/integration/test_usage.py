"""What models cost: written with the answer, told to everyone about itself and to those who oversee about all."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kbcore.domain.document import Classification
from kbcore.metadata import usage, users
from kbcore.metadata.usage import Price
from services.auth.api_keys import issue_key
from services.limits import costs
from tests.integration.asking import Desk

QUESTION = "年假可以结转吗？"


@pytest.fixture
def auditor(desk: Desk) -> Iterator[httpx.Client]:
    caller = desk.corpus.person("auditor", clearance=Classification.PUBLIC)
    with desk.corpus.platform.database.begin() as connection:
        users.update_user(connection, caller.user_id, {"is_auditor": True})
        desk.keys["auditor"] = issue_key(connection, user_id=caller.user_id, name="t").token
    with desk.client("auditor") as client:
        yield client


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "price_of", lambda _settings, model: Price(2, 8) if model == "say" else Price())


def read(client: httpx.Client, **asked: str) -> dict[str, Any]:
    return dict(client.get("/v1/usage", params=asked).raise_for_status().json())


def test_answers_and_embeddings_are_counted(desk: Desk, auditor: httpx.Client) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日。[1]"
    with desk.client() as employee, desk.client("hr") as hr:
        said = employee.post("/v1/ask", json={"question": QUESTION, "model": "say", "spaces": ["public"]}).json()
        streamed = {"question": QUESTION, "model": "say", "stream": True}
        assert "event: done" in employee.post("/v1/ask", json=streamed).text
        hr.post("/v1/ask", json={"question": "what colour is the moon of Jupiter"}).raise_for_status()
        hr.post("/v1/embeddings", json={"model": "zhiku", "input": QUESTION}).raise_for_status()
        employee.post("/v1/search", json={"query": QUESTION}).raise_for_status()

        mine = read(employee, by="model")
        prompt, completion = said["usage"]["prompt_tokens"], said["usage"]["completion_tokens"]
        assert [(each["key"], each["requests"]) for each in mine["items"]] == [("say", 2)]
        assert mine["total"]["prompt_tokens"] == 2 * prompt > 0
        assert mine["total"]["cost_micros"] == 2 * (2 * prompt + 8 * completion)
        assert mine["total"]["cost"] == mine["total"]["cost_micros"] / 1_000_000
        assert [each["key"] for each in read(employee, by="space")["items"]] == ["", desk.corpus.spaces["public"]]
        assert read(employee, space="public")["total"]["requests"] == 1
        assert [each["key"] for each in read(employee, by="user")["items"]] == [desk.people["employee"].user_id]

        embedding = desk.corpus.platform.embedding_model.name
        assert {each["key"]: each["requests"] for each in read(hr, by="model")["items"]} == {"": 1, embedding: 1}
        everybody = read(auditor, by="user")
        assert {each["key"]: each["requests"] for each in everybody["items"]} == {
            desk.people["employee"].user_id: 2,
            desk.people["hr"].user_id: 2,
        }
        assert read(auditor, user="hr-person", model=embedding)["total"]["requests"] == 1
        today = read(auditor, by="day")["items"][0]["key"]
        assert read(auditor, since=today)["total"]["requests"] == 4
        assert read(auditor, until=today)["total"]["requests"] == 0


def test_nobody_is_told_of_others(desk: Desk) -> None:
    with desk.client() as employee:
        answers = [employee.get("/v1/usage", params={"user": name}) for name in ("hr-person", "nobody-at-all")]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_a_failed_answer_counts_as_a_request(desk: Desk) -> None:
    with desk.client() as employee:
        employee.post("/v1/ask", json={"question": QUESTION, "model": "broken"}).raise_for_status()
        assert [each["key"] for each in read(employee, by="model")["items"]] == ["extractive"], "which quoted instead"


def test_figures_of_the_erased_stay_as_one_sum(desk: Desk, auditor: httpx.Client) -> None:
    with desk.client() as employee:
        employee.post("/v1/ask", json={"question": QUESTION}).raise_for_status()
    with desk.corpus.platform.database.begin() as connection:
        assert usage.pseudonymise(connection, desk.people["employee"].user_id) == 1
        assert usage.pseudonymise(connection, desk.people["employee"].user_id) == 0
    assert [each["key"] for each in read(auditor, by="user")["items"]] == ["erased"]
    assert read(auditor, user="erased")["total"]["requests"] == 1


def test_what_costs_something_is_never_free() -> None:
    assert Price(0.1, 0.1).micros(1, 0) == 1
    assert Price(2, 8).micros(1_000_000, 1_000_000) == 10_000_000
    assert Price().micros(10, 10) == 0
