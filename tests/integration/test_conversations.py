"""Conversations over HTTP: remembered, private, and checked again whenever they are read."""

from collections.abc import Callable

import pytest

from ingestion.erase import Eraser
from kbcore.domain.document import Classification
from kbcore.metadata import api_keys, users
from services.library.erase import order_erasure
from tests.integration.asking import Desk


def test_history_is_kept_and_belongs_to_its_owner(desk: Desk) -> None:
    with desk.client("hr") as hr, desk.client("employee") as employee:
        asked = hr.post("/v1/ask", json={"question": "P5 级工程师的月薪范围是多少？"}).json()
        path = f"/v1/conversations/{asked['conversation_id']}"
        thread = hr.get(path).json()
        assert thread["title"] == "P5 级工程师的月薪范围是多少？"
        assert [turn["answer"] for turn in thread["turns"]] == [asked["answer"]]
        assert thread["turns"][0]["citations"] == asked["citations"]
        assert thread["turns"][0]["trace_id"] == asked["trace_id"]
        unknown = employee.get("/v1/conversations/0198c0de-0000-7000-8000-000000000000").json()
        foreign = employee.get(path).json()
        assert {**foreign, "trace_id": ""} == {**unknown, "trace_id": ""}
        assert employee.delete(path).status_code == 404
        assert (
            employee.post("/v1/ask", json={"question": "年假", "conversation_id": asked["conversation_id"]}).status_code
            == 404
        )
        assert employee.get("/v1/conversations").json() == {"items": [], "next_cursor": None}
        assert hr.delete(path).status_code == 204
        assert hr.get(path).status_code == 404


def test_an_answer_is_withheld_when_its_source_may_not_be_read_any_more(desk: Desk) -> None:
    with desk.client("hr") as hr:
        asked = hr.post("/v1/ask", json={"question": "P5 级工程师的月薪范围是多少？"}).json()
        path = f"/v1/conversations/{asked['conversation_id']}"
        assert "18,000" in hr.get(path).text
        desk.corpus.leave(desk.people["hr"], "hr")
        turn = hr.get(path).json()["turns"][0]
        assert (turn["answer"], turn["citations"], turn["reason"]) == (None, [], "access_withdrawn")
        assert "18,000" not in hr.get(path).text
        assert "薪酬制度" not in hr.get(path).text


def test_titles_in_an_abstention_are_withheld_too(desk: Desk) -> None:
    with desk.client("hr") as hr:
        desk.chat.answer = "NO_ANSWER"
        asked = hr.post("/v1/ask", json={"question": "薪酬等级的依据是什么？", "spaces": ["hr"], "model": "say"}).json()
        assert (asked["abstained"], asked["reason"]) == (True, "no_answer_in_sources")
        assert "薪酬制度" in asked["answer"]
        desk.corpus.leave(desk.people["hr"], "hr")
        assert "薪酬制度" not in hr.get(f"/v1/conversations/{asked['conversation_id']}").text


def test_who_lost_access_is_not_told_that_the_document_was_erased(desk: Desk) -> None:
    admin = desk.corpus.person("admin", is_admin=True)
    with desk.client("hr") as hr:
        cited = hr.post("/v1/ask", json={"question": "P5 级工程师的月薪范围是多少？"}).json()
        desk.chat.answer = "NO_ANSWER"
        body = {"question": "薪酬等级的依据是什么？", "spaces": ["hr"], "model": "say"}
        named = hr.post("/v1/ask", json={**body, "conversation_id": cited["conversation_id"]}).json()
        assert (len(cited["citations"]), named["abstained"]) == (1, True)

        def turns() -> list[tuple[object, object]]:
            shown = hr.get(f"/v1/conversations/{cited['conversation_id']}").json()["turns"]
            return [(turn["answer"], turn["reason"]) for turn in shown]

        desk.corpus.leave(desk.people["hr"], "hr")
        withheld = [(None, "access_withdrawn")] * 2
        assert turns() == withheld
        with desk.corpus.platform.database.begin() as connection:
            erasure = order_erasure(connection, admin, desk.documents["salary"], None)
        assert turns() == withheld
        Eraser(desk.corpus.platform).erase(erasure.id, lambda _stage, _done, _total: None)
        assert turns() == withheld
        desk.corpus.join(desk.people["hr"], "hr")
        assert turns() == [(None, "erased")] * 2


def test_the_list_comes_in_pages_last_used_first(desk: Desk) -> None:
    with desk.client() as client:
        ids = [
            client.post("/v1/ask", json={"question": f"年假可以结转吗 {n}"}).json()["conversation_id"] for n in range(3)
        ]
        client.post("/v1/ask", json={"question": "年假", "conversation_id": ids[0]})
        first = client.get("/v1/conversations", params={"limit": 2}).json()
        rest = client.get("/v1/conversations", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [item["id"] for item in first["items"] + rest["items"]] == [ids[0], ids[2], ids[1]]
        assert rest["next_cursor"] is None


def test_feedback_is_stored(desk: Desk) -> None:
    with desk.client() as client:
        body = {"trace_id": "0" * 32, "rating": -1, "reason": "wrong", "comment": "过期了", "complaint": True}
        assert client.post("/v1/feedback", json=body).status_code == 201
        assert client.post("/v1/feedback", json={**body, "rating": 5}).status_code == 422
        assert client.post("/v1/feedback", json={**body, "trace_id": "x"}).status_code == 422


def _leaves_the_group(desk: Desk) -> None:
    desk.corpus.leave(desk.people["hr"], "hr")


def _loses_the_clearance(desk: Desk) -> None:
    with desk.corpus.platform.database.begin() as connection:
        users.update_user(connection, desk.people["hr"].user_id, {"clearance": Classification.PUBLIC})


def _loses_the_key(desk: Desk) -> None:
    with desk.corpus.platform.database.begin() as connection:
        (key,) = api_keys.list_keys(connection, user_id=desk.people["hr"].user_id, after=None, limit=2)
        api_keys.revoke_key(connection, key.id)


def _document_is_deleted(desk: Desk) -> None:
    desk.corpus.delete(desk.documents["salary"])


@pytest.mark.parametrize("happens", [_leaves_the_group, _loses_the_clearance, _loses_the_key, _document_is_deleted])
@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions"])
def test_a_stream_stops_when_what_it_stands_on_may_not_be_read_any_more(
    desk: Desk, path: str, happens: Callable[[Desk], None]
) -> None:
    desk.chat.answer = f"P5 级工程师的月薪范围是 18,000 至 26,000 元。[1]{'这句话没有依据。' * 8}薪酬信息不得外传。[1]"
    question = "P5 级工程师的月薪范围是多少？"
    body = {"question": question} if path == "/v1/ask" else {"messages": [{"role": "user", "content": question}]}
    seen = ""
    with desk.client("hr") as hr, hr.stream("POST", path, json={**body, "model": "slow", "stream": True}) as response:
        lines = response.iter_lines()
        while "18,000" not in seen:
            seen = next(lines)
        happens(desk)
        rest = "\n".join(lines)
    assert "access_changed" in rest
    assert "不得外传" not in rest
