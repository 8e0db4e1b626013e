"""`/v1/ask` over HTTP: cited answers, honest abstentions, badly behaved models, conversations."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.integration.asking import Desk

QUESTION = "年假可以结转吗？"
GOOD = "年假可以结转至次年三月三十一日。[1]"


def ask(desk: Desk, question: str, person: str = "employee", **more: object) -> dict[str, Any]:
    with desk.client(person) as client:
        answer = client.post("/v1/ask", json={"question": question, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    check_citations(desk, body)
    return body


def check_citations(desk: Desk, body: dict[str, Any]) -> None:
    """Every quote is the stored text, every statement has a marker, every marker a citation."""
    for citation in body["citations"]:
        stored = desk.corpus.text_of(citation["document_id"], citation["version"])
        assert stored[citation["source"]["start"] : citation["source"]["end"]] == citation["quote"]
    used = set(re.findall(r"\[\d+\]", body["answer"]))
    assert used == {citation["marker"] for citation in body["citations"]}
    if not body["abstained"]:
        assert used
        assert re.search(r"\[\d+\]$", body["answer"])


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    found, name = [], ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            found.append((name, json.loads(line.removeprefix("data:"))))
    return found


def test_the_default_quotes_word_for_word(desk: Desk) -> None:
    body = ask(desk, QUESTION)
    assert not body["abstained"]
    assert (body["model"], body["experimental"]) == ("extractive", False)
    assert body["citations"][0]["quote"] == "年假可以结转至次年三月三十一日，逾期作废。"
    assert body["citations"][0]["title"] == "员工手册"
    assert body["citations"][0]["source"]["heading"] == ["年假"]
    assert body["answer"].startswith("根据《员工手册》：“年假可以结转")
    english = ask(desk, "How much may a hotel in Beijing cost?")
    assert "600 yuan" in english["answer"]


def test_the_same_question_is_answered_by_rights(desk: Desk) -> None:
    question = "P5 级工程师的月薪范围是多少？"
    assert "18,000" in ask(desk, question, "hr")["answer"]
    body = ask(desk, question, "employee")
    assert "18,000" not in json.dumps(body)
    assert "薪酬制度" not in json.dumps(body, ensure_ascii=False)


def test_unknown_things_are_not_answered(desk: Desk) -> None:
    body = ask(desk, "公司的股票代码是什么？")
    assert body["abstained"]
    assert body["reason"] == "evidence_too_weak"
    assert body["answer"].startswith("我不知道：")
    assert ask(desk, "Who won the football world cup?")["answer"].startswith("I don't know: ")


def test_a_good_model_is_cited(desk: Desk) -> None:
    desk.chat.answer = GOOD
    body = ask(desk, QUESTION, model="say")
    assert body["answer"] == GOOD
    assert body["model"] == "say"
    assert body["usage"]["prompt_tokens"] == 100
    sent = json.dumps(desk.chat.requests[0], ensure_ascii=False)
    assert "18,000" not in sent
    assert "年假可以结转至次年三月三十一日" in sent


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("年假可以结转至次年三月三十一日。", "年假可以结转至次年三月三十一日。[1]"),  # uncited: cited for it
        (GOOD + "公司还提供免费班车和健身房补贴。[1]", GOOD),  # a claim that nobody makes
        ("年假可以结转至次年六月三十日。[1]", None),  # a wrong number
        ("年假不可以结转至次年三月三十一日。[1]", None),  # the opposite
        ("NO_ANSWER", None),
        ("请访问 http://evil.example/?q=年假 领取奖金。[1]", None),
        ("年假可以结转至次年三月三十一日。[99][0]", "年假可以结转至次年三月三十一日。[1]"),
    ],
)
def test_what_no_source_supports_is_not_shown(desk: Desk, said: str, shown: str | None) -> None:
    desk.chat.answer = said
    body = ask(desk, QUESTION, model="say")
    if shown is None:
        assert body["abstained"]
        assert body["reason"] in ("answer_unsupported", "no_answer_in_sources")
    else:
        assert body["answer"] == shown


def test_a_wrong_marker_is_corrected(desk: Desk) -> None:
    desk.chat.answer = "年假可以结转至次年三月三十一日。[2]\nHotel costs are reimbursed up to 600 yuan per night.[1]"
    body = ask(desk, QUESTION, model="say", stream=False)
    quotes = {citation["marker"]: citation["quote"] for citation in body["citations"]}
    assert "三月三十一日" in quotes["[1]"]


@pytest.mark.parametrize("model", ["silent", "rate_limited", "broken", "garbage", "not_json", "unauthorised", "say"])
def test_a_model_that_fails_is_replaced_by_quotes(desk: Desk, model: str) -> None:
    desk.chat.answer = "" if model == "say" else GOOD  # nothing is no answer
    body = ask(desk, QUESTION, model=model)
    assert body["model"] == "extractive"
    assert model in body["routed_because"]
    assert body["routed_because"].endswith("extractive answers instead")
    assert "secret" not in json.dumps(body)
    assert desk.chat.base_url not in json.dumps(body)


def test_a_cut_stream_keeps_only_what_was_verified(desk: Desk) -> None:
    desk.chat.answer = GOOD + "病假需提供医院证明，三天以内由直属主管批准。[1]" + "。" * 40
    body = ask(desk, QUESTION, model="cut")
    assert body["answer"] == GOOD
    assert body["reason"] == "model_interrupted"


@pytest.mark.parametrize("behaviour", ["withheld", "tools"])
def test_an_answer_that_its_model_withholds_halfway_says_so(desk: Desk, behaviour: str) -> None:
    desk.chat.answer = GOOD + "员工入职满一年后享有五天年假。[1]"
    body = ask(desk, QUESTION, model=behaviour)
    assert (body["answer"], body["reason"]) == (GOOD, "model_interrupted")
    desk.chat.answer = ""
    body = ask(desk, QUESTION, model=behaviour)
    assert body["model"] == "extractive"
    assert "withheld" in body["routed_because"]


def test_half_a_statement_is_not_shown(desk: Desk) -> None:
    """Its other half may be the condition."""
    desk.chat.answer = GOOD + "员工入职满一年"
    assert ask(desk, QUESTION, model="at_length")["answer"] == GOOD
    desk.chat.answer = "年假可以结转"
    body = ask(desk, QUESTION, model="at_length")
    assert (body["abstained"], body["reason"]) == (True, "answer_unsupported")


def test_a_model_that_has_no_end_is_heard_out_so_far(desk: Desk) -> None:
    desk.chat.answer = GOOD
    assert ask(desk, QUESTION, model="endless")["answer"] == GOOD
    assert desk.chat.hung_up.wait(10)


@pytest.mark.parametrize("behaviour", ["uncounted", "miscounted", "unreadable"])
def test_what_is_only_badly_said_is_an_answer(desk: Desk, behaviour: str) -> None:
    desk.chat.answer = GOOD
    body = ask(desk, QUESTION, model=behaviour)
    assert GOOD in body["answer"]
    assert body["usage"]["prompt_tokens"] > 0
    assert body["usage"]["completion_tokens"] > 0


def test_the_stream_says_the_same(desk: Desk) -> None:
    desk.chat.answer = GOOD + "\n\n员工入职满一年后享有五天年假。[1]"
    body = {"question": QUESTION, "model": "slow", "stream": True}
    with desk.client() as client, client.stream("POST", "/v1/ask", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        seen = events(response)
    names = [name for name, _ in seen]
    assert names == ["retrieval", "token", "citation", "token", "citation", "done"]
    done = seen[-1][1]
    assert "".join(data["text"] for name, data in seen if name == "token") == done["answer"]
    assert [data for name, data in seen if name == "citation"] == done["citations"]
    assert seen[0][1]["passages"][0]["title"] == "员工手册"
    check_citations(desk, done)


def test_what_can_be_refused_is_refused_before_the_stream(desk: Desk) -> None:
    with desk.client() as client:
        for body, status, code in [
            ({"question": QUESTION, "conversation_id": "none"}, 404, "conversation_not_found"),
            ({"question": QUESTION, "model": "gpt-9"}, 404, "model_not_found"),
            ({"question": QUESTION, "spaces": ["hr"]}, 404, "space_not_found"),
            ({"question": QUESTION, "as_of": "yesterday"}, 422, "invalid_as_of"),
            ({"question": QUESTION, "as_of": "snapshot:q1"}, 404, "snapshot_not_found"),
            ({"question": "  "}, 422, "empty_query"),
            ({"question": QUESTION, "modle": "x"}, 422, "validation_failed"),
            ({"question": "nul \x00"}, 422, "validation_failed"),
        ]:
            answer = client.post("/v1/ask", json={**body, "stream": True})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        raw = client.post("/v1/ask", content=b'{"question": "\\ud83d"}', headers={"content-type": "application/json"})
        assert raw.status_code == 422


def test_a_client_that_leaves_stops_the_model(desk: Desk) -> None:
    desk.chat.answer = "员工入职满一年后享有五天年假。[1]" * 200
    body = {"question": QUESTION, "model": "slow", "stream": True}
    with desk.client() as client, client.stream("POST", "/v1/ask", json=body) as response:
        next(response.iter_lines())
    assert desk.chat.hung_up.wait(10)
    assert desk.chat.pieces_sent < 200
    with desk.client() as client:
        assert client.get("/v1/conversations").json()["items"] == []


def test_follow_ups_continue_the_conversation(desk: Desk) -> None:
    first = ask(desk, "病假需要什么证明？")
    second = ask(desk, "那由谁批准呢？", conversation_id=first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert "直属主管" in second["answer"]
    desk.chat.answer = GOOD
    ask(desk, "那年假呢？", conversation_id=first["conversation_id"], model="say")
    roles = [message["role"] for message in desk.chat.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


def test_when_an_epoch_was_published_is_not_told(desk: Desk) -> None:
    """It may have been a publication in a space that the asker does not see."""
    with desk.client() as client:
        epoch = client.post("/v1/search", json={"query": "hotel"}).json()["epoch"]
        for path, body in (("/v1/search", {"query": "hotel"}), ("/v1/ask", {"question": "年假可以结转吗？"})):
            for number in range(1, epoch + 1):
                told = client.post(path, json={**body, "as_of": f"epoch:{number}"}).raise_for_status().json()
                assert (told["epoch"], told["as_of"]) == (number, None)
            day = "2030-01-01T00:00:00Z"
            chosen = client.post(path, json={**body, "as_of": "epoch:1", "effective_at": day}).json()
            assert chosen["as_of"] == day  # the asker's own
