"""The Model Context Protocol at `/mcp`, with its official client: what assistants see, and what they must not."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import mcp_types as types
import pytest
import sqlalchemy as sa

from kbcore.domain.principal import KeyKind, Scope
from kbcore.errors import AuditUnavailable
from kbcore.metadata.tables import audit_events
from services.auth.api_keys import issue_key
from tests.integration.asking import Desk
from tests.mcp_client import LEGACY, MODERN, call, tools

UNKNOWN = "01900000-0000-7000-8000-000000000000"
RPC = {"jsonrpc": "2.0", "id": 1}
JSON = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


def said(result: types.CallToolResult) -> dict[str, Any]:
    """The one text, as JSON."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return dict(json.loads(content.text))


def ok(desk: Desk, person: str, tool: str, **arguments: Any) -> dict[str, Any]:
    result = call(desk.url, desk.keys[person], tool, **arguments)
    assert not result.is_error, said(result)
    assert result.structured_content == said(result)
    return said(result)


def refused(desk: Desk, person: str, tool: str, **arguments: Any) -> dict[str, Any]:
    result = call(desk.url, desk.keys[person], tool, **arguments)
    assert result.is_error
    assert result.structured_content is None
    error = said(result)
    assert set(error) == {"code", "detail", "trace_id"}
    return {name: value for name, value in error.items() if name != "trace_id"}


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_tools_are_described_for_people_and_machines(desk: Desk, mode: str) -> None:
    found = tools(desk.url, desk.keys["employee"], mode=mode)
    assert list(found) == ["search", "fetch", "ask"]
    for tool in found.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema is not None
        assert any("\u4e00" <= character <= "\u9fff" for character in tool.description or "")
    assert found["search"].input_schema["required"] == ["query"]
    assert found["fetch"].input_schema["required"] == ["id"]


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_search_has_the_shape_that_connectors_expect(desk: Desk, mode: str) -> None:
    answer = call(desk.url, desk.keys["employee"], "search", mode=mode, query="年假可以结转吗")
    assert answer.structured_content == said(answer)
    best = said(answer)["results"][0]
    assert best["title"] == "员工手册"
    assert best["url"] == f"{desk.url}/v1/documents/{desk.documents['handbook']}/versions/1/content"
    assert "结转" in best["text"]
    assert best["id"].startswith(f"{desk.documents['handbook']}:1:")


def test_what_was_found_can_be_fetched(desk: Desk) -> None:
    found = ok(desk, "employee", "search", query="年假可以结转吗", top_k=1)["results"]
    fetched = ok(desk, "employee", "fetch", id=found[0]["id"])
    assert len(found) == 1
    assert {"id", "title", "text", "url", "metadata"} == set(fetched)
    assert "年假可以结转至次年三月三十一日" in fetched["text"]
    assert "病假需提供医院证明" in fetched["text"]  # all of it, not the passage alone
    assert fetched["url"] == found[0]["url"]
    assert fetched["metadata"]["next"] is None


def test_a_document_is_fetched_by_its_id_or_by_a_version(desk: Desk) -> None:
    handbook = desk.documents["handbook"]
    assert (
        ok(desk, "employee", "fetch", id=handbook)["text"] == ok(desk, "employee", "fetch", id=f"{handbook}:1")["text"]
    )
    assert refused(desk, "employee", "fetch", id=f"{handbook}:2")["code"] == "version_not_found"


def test_a_long_text_is_read_piece_by_piece(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 300
    settings = desk.corpus.platform.settings
    mcp = settings.mcp.model_copy(update={"fetch_chars": limit})
    monkeypatch.setattr(desk.corpus.platform, "settings", settings.model_copy(update={"mcp": mcp}))
    text = "\n\n".join(f"第{number}条 本条规定第{number}项事务的办理方法与期限。" for number in range(40))
    whole = desk.corpus.add("public", "总则", text)
    pieces, following = [], whole
    while following:
        piece = ok(desk, "employee", "fetch", id=following)
        assert len(piece["text"]) <= limit
        assert piece["metadata"]["start"] == sum(map(len, pieces))
        pieces.append(piece["text"])
        following = piece["metadata"]["next"]
    assert len(pieces) > 1
    assert len("".join(pieces)) == piece["metadata"]["length"]
    middle = piece["metadata"]["length"] // 2
    around = ok(desk, "employee", "fetch", id=f"{whole}:1:{middle}-{middle + 20}")
    assert around["text"] == "".join(pieces)[around["metadata"]["start"] : around["metadata"]["end"]]
    assert around["metadata"]["start"] < middle < middle + 20 < around["metadata"]["end"]


def test_answers_are_cited_and_conversations_go_on(desk: Desk) -> None:
    first = ok(desk, "employee", "ask", question="年假可以结转吗？")
    assert not first["abstained"]
    assert (first["model"], first["experimental"]) == ("extractive", False)
    assert first["routed_because"]
    citation = first["citations"][0]
    assert citation["marker"] in first["answer"]
    assert citation["quote"] in ok(desk, "employee", "fetch", id=citation["id"])["text"]
    again = ok(desk, "employee", "ask", question="到什么时候？", conversation_id=first["conversation_id"])
    assert again["conversation_id"] == first["conversation_id"]
    other = refused(desk, "hr", "ask", question="?", conversation_id=first["conversation_id"])
    assert other["code"] == "conversation_not_found"


def test_two_people_see_what_each_may_read(desk: Desk) -> None:
    question = "P5 级工程师的月薪范围是多少"
    hidden = desk.documents["salary"]
    assert hidden in json.dumps(ok(desk, "hr", "search", query=question))
    assert "18,000" in ok(desk, "hr", "ask", question=question)["answer"]
    assert "18,000" in ok(desk, "hr", "fetch", id=hidden)["text"]
    for tool, arguments in (("search", {"query": question}), ("ask", {"question": question})):
        shown = json.dumps(ok(desk, "employee", tool, **arguments), ensure_ascii=False)
        assert hidden not in shown
        assert "18,000" not in shown
    assert refused(desk, "employee", "search", query=question, spaces=["hr"]) == refused(
        desk, "employee", "search", query=question, spaces=["no-such-space"]
    )


@pytest.mark.parametrize("form", ["{}", "{}:1", "{}:1:0-10", "{}:9"])
def test_a_hidden_id_is_an_unknown_id(desk: Desk, form: str) -> None:
    hidden = refused(desk, "employee", "fetch", id=form.format(desk.documents["salary"]))
    assert hidden == refused(desk, "employee", "fetch", id=form.format(UNKNOWN))
    assert hidden == refused(desk, "employee", "fetch", id="no id at all")
    assert hidden["code"] == "document_not_found"


def test_people_who_ask_at_once_are_not_mixed_up(desk: Desk) -> None:
    body = {**RPC, "method": "tools/call", "params": {"name": "fetch", "arguments": {"id": desk.documents["salary"]}}}

    def fetch(person: str) -> bool:
        with desk.client(person) as client:
            return "18,000" in client.post("/mcp", json=body, headers=JSON).raise_for_status().text

    people = ["employee", "hr"] * 20
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(fetch, people))
    assert shown == [person == "hr" for person in people]


def test_a_right_that_is_withdrawn_is_gone_at_once(desk: Desk) -> None:
    found = ok(desk, "hr", "search", query="月薪范围", spaces=["hr"])["results"][0]
    desk.corpus.space("elsewhere", "hr")
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(sa.text("DELETE FROM group_members"))
    assert refused(desk, "hr", "fetch", id=found["id"])["code"] == "document_not_found"


def test_what_was_read_and_what_was_refused_is_in_the_audit_log(desk: Desk) -> None:
    handbook = desk.documents["handbook"]
    ok(desk, "employee", "fetch", id=handbook)
    refused(desk, "employee", "fetch", id=desk.documents["salary"])
    refused(desk, "employee", "search", query="x", spaces=["hr"])
    with desk.corpus.platform.database.begin() as connection:
        rows = connection.execute(sa.select(audit_events).order_by(audit_events.c.seq)).all()
    found = [(row.kind, row.documents, row.detail) for row in rows if row.actor == desk.people["employee"].user_id]
    route = {"method": "POST", "route": "/mcp", "path": {}, "status": 404, "count": 1}
    assert [each for each in found if each[0] in ("document.read", "request.refused")] == [
        ("document.read", [handbook], {"what": "text", "version": 1}),
        ("request.refused", [], {**route, "code": "document_not_found"}),
        ("request.refused", [], {**route, "code": "space_not_found"}),
    ]


def test_searches_and_answers_leave_the_traces_of_the_routes(desk: Desk) -> None:
    searched = ok(desk, "employee", "search", query="年假可以结转吗")
    answered = ok(desk, "employee", "ask", question="年假可以结转吗？")
    with desk.corpus.platform.database.begin() as connection:
        rows = connection.execute(sa.select(audit_events.c.kind, audit_events.c.trace_id)).all()
    found = {(row.kind, row.trace_id) for row in rows}
    assert ("search.retrieved", searched["trace_id"]) in found
    assert ("answer.given", answered["trace_id"]) in found
    with desk.client() as client:
        assert client.get(f"/v1/traces/{answered['trace_id']}").status_code == 200


def test_what_cannot_be_recorded_is_not_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: object) -> None:
        raise AuditUnavailable("This cannot be recorded now.")

    monkeypatch.setattr(desk.corpus.platform.audit, "record", down)
    error = refused(desk, "employee", "fetch", id=desk.documents["handbook"])
    assert error == {"code": AuditUnavailable.code, "detail": "This cannot be recorded now."}


@pytest.mark.parametrize(
    ("scope", "tool", "arguments"),
    [
        (Scope.SEARCH, "search", {"query": "年假"}),
        (Scope.READ, "fetch", {"id": "handbook"}),
        (Scope.ASK, "ask", {"question": "年假可以结转吗？"}),
    ],
)
def test_a_key_has_the_tools_of_its_scopes(desk: Desk, scope: Scope, tool: str, arguments: dict[str, str]) -> None:
    with desk.corpus.platform.database.begin() as connection:
        issued = issue_key(
            connection, user_id=desk.people["employee"].user_id, name="narrow", scopes=frozenset({scope})
        )
    desk.keys["narrow"] = issued.token
    arguments = {name: desk.documents.get(value, value) for name, value in arguments.items()}
    assert list(tools(desk.url, issued.token)) == [tool]
    assert ok(desk, "narrow", tool, **arguments)
    for other in {"search", "fetch", "ask"} - {tool}:
        assert refused(desk, "narrow", other)["code"] == "scope_missing"


def test_a_session_is_as_good_as_a_key(desk: Desk) -> None:
    with desk.corpus.platform.database.begin() as connection:
        session = issue_key(
            connection,
            user_id=desk.people["hr"].user_id,
            name="session",
            kind=KeyKind.SESSION,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
    assert "18,000" in said(call(desk.url, session.token, "fetch", id=desk.documents["salary"]))["text"]


def test_a_defect_tells_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(desk.corpus.platform.audit, "record", broken)
    answer = call(desk.url, desk.keys["employee"], "fetch", id=desk.documents["handbook"])
    assert answer.is_error
    assert said(answer)["code"] == "internal_error"
    assert "secret" not in answer.model_dump_json()


def test_a_key_that_is_revoked_is_refused_at_the_next_request(desk: Desk) -> None:
    with desk.corpus.platform.database.begin() as connection:
        issued = issue_key(connection, user_id=desk.people["employee"].user_id, name="short")
    assert list(tools(desk.url, issued.token))
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE api_keys SET revoked_at = now() WHERE id = :id"), {"id": issued.key.id})
    answer = httpx.post(
        f"{desk.url}/mcp",
        json={**RPC, "method": "tools/list"},
        headers={**JSON, "Authorization": f"Bearer {issued.token}"},
    )
    assert answer.status_code == 401
