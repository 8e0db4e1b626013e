"""`/mcp` as a protocol: who gets in, from where, with what; nothing odd gets an answer that it should not."""

import json
from typing import Any

import httpx
import pytest

from tests.mcp_client import MODERN
from tests.security.scene import Scene

UNKNOWN = "01900000-0000-7000-8000-000000000000"
RPC = {"jsonrpc": "2.0", "id": 1}
LISTING = {**RPC, "method": "tools/list"}
JSON = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2025-11-25",
}


def post(scene: Scene, content: Any, *, role: str = "reader", **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return scene.clients[role].post("/mcp", content=body, headers={**JSON, **headers})


def names(scene: Scene) -> list[str]:
    return [tool["name"] for tool in post(scene, LISTING).raise_for_status().json()["result"]["tools"]]


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("search", {}, "validation_failed"),
        ("search", {"query": "x", "everything": True}, "validation_failed"),
        ("search", {"query": "x", "top_k": 0}, "validation_failed"),
        ("search", {"query": "x", "mode": "psychic"}, "validation_failed"),
        ("search", {"query": "x", "top_k": 100_000}, "top_k_too_large"),
        ("search", {"query": " "}, "empty_query"),
        ("search", {"query": "x" * 100_000}, "query_too_long"),
        ("search", {"query": "x", "as_of": "yesterday"}, "invalid_as_of"),
        ("ask", {"question": ""}, "empty_query"),
        ("ask", {"question": "x", "conversation_id": UNKNOWN}, "conversation_not_found"),
        ("fetch", {"id": 7}, "validation_failed"),
        ("fetch", {"id": f"{UNKNOWN}:99999999999999999999"}, "document_not_found"),
    ],
)
def test_wrong_arguments_are_errors_of_the_tool(scene: Scene, tool: str, arguments: dict[str, Any], code: str) -> None:
    answer = post(scene, {**RPC, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
    result = answer.json()["result"]
    assert result["isError"] is True
    assert json.loads(result["content"][0]["text"])["code"] == code


@pytest.mark.parametrize("authorization", [None, "Bearer zk_wrong", "Basic eHg6eXk=", "Bearer " + "a" * 5000])
def test_without_a_valid_key_there_is_nothing(scene: Scene, authorization: str | None) -> None:
    headers = {**JSON, **({} if authorization is None else {"Authorization": authorization})}
    answer = scene.clients["nobody"].post("/mcp", json=LISTING, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


ODD = {
    "batch": ([LISTING], 400),
    "empty_batch": ([], 400),
    "not_json": (b"{", 400),
    "not_utf8": (b'{"jsonrpc": "2.0", "id": 1, "method": "\xff"}', 400),
    "deep": (b"[" * 100_000, 400),
    "half_a_pair": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "\\ud83d"}}', 400),
    "no_version": ({"id": 1, "method": "tools/list"}, 400),
    "old_version": ({"jsonrpc": "1.0", "id": 1, "method": "tools/list"}, 400),
    "a_number": (7, 400),
    "null": (None, 400),
    "huge": (b'"' + b"x" * 2_000_000 + b'"', 413),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("revision", ["2025-11-25", MODERN])
def test_odd_messages_are_refused_in_order(scene: Scene, name: str, revision: str) -> None:
    content, status = ODD[name]
    answer = post(scene, content, **{"MCP-Protocol-Version": revision})
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
    assert names(scene)


def test_a_body_that_grows_too_large_on_the_way_is_refused(scene: Scene) -> None:
    pieces = (b"x" * 100_000 for _ in range(20))
    answer = scene.clients["reader"].post("/mcp", content=pieces, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["code"] == "payload_too_large"


@pytest.mark.parametrize("revision", ["1999-01-01", "latest", ""])
def test_an_unknown_revision_is_refused(scene: Scene, revision: str) -> None:
    answer = post(scene, LISTING, **{"MCP-Protocol-Version": revision})
    assert answer.status_code == 400
    assert "error" in answer.json()


@pytest.mark.parametrize(
    ("method", "params"),
    [("tools/call", {"name": "delete_everything"}), ("resources/read", {"uri": "file:///etc/passwd"}), ("nothing", {})],
)
def test_what_does_not_exist_is_an_error_of_the_protocol(scene: Scene, method: str, params: dict[str, Any]) -> None:
    answer = post(scene, {**RPC, "method": method, "params": params})
    assert answer.json()["error"]["code"] in (-32601, -32602)
    assert "result" not in answer.json()


def test_there_are_no_sessions_and_no_streams(scene: Scene) -> None:
    started = post(
        scene,
        {
            **RPC,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
    )
    assert started.json()["result"]["serverInfo"]["name"] == "zhiku"
    assert "mcp-session-id" not in started.headers
    assert post(scene, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    for method in ("GET", "DELETE"):
        assert scene.clients["reader"].request(method, "/mcp", headers=JSON).status_code == 405


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1", "null", ""])
def test_a_web_page_is_refused_unless_its_origin_is_allowed(scene: Scene, origin: str) -> None:
    answer = post(scene, LISTING, Origin=origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_a_server_of_this_machine_goes_by_its_own_names_only(scene: Scene, host: str) -> None:
    answer = post(scene, LISTING, Host=host)
    assert (answer.status_code, answer.json()["code"]) == (403, "host_not_allowed")
    for own in ("localhost:1234", "127.0.0.1", "[::1]:80"):
        assert post(scene, LISTING, Host=own).status_code == 200


def test_who_rebinds_learns_nothing_about_the_key(scene: Scene) -> None:
    headers = {**JSON, "Origin": "https://evil.example"}
    answer = scene.clients["nobody"].post("/mcp", json=LISTING, headers=headers)
    assert answer.status_code == 403


@pytest.fixture
def configured(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of `[mcp]` for one test."""

    def configure(**values: Any) -> None:
        settings = scene.api.platform.settings
        mcp = settings.mcp.model_copy(update=values)
        monkeypatch.setattr(scene.api.platform, "settings", settings.model_copy(update={"mcp": mcp}))

    return configure


def test_allowed_origins_and_hosts_pass(scene: Scene, configured: Any) -> None:
    configured(allowed_origins=("https://assistant.example",), allowed_hosts=("kb.example.com",))
    listing = LISTING
    assert post(scene, listing, Origin="https://assistant.example", Host="KB.example.com").status_code == 200
    assert post(scene, listing, Origin="https://assistant.example.evil", Host="kb.example.com").status_code == 403


def test_a_server_for_others_is_called_what_they_like_unless_it_says(
    scene: Scene, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = scene.api.platform.settings
    public = settings.model_copy(update={"server": settings.server.model_copy(update={"host": "0.0.0.0"})})
    monkeypatch.setattr(scene.api.platform, "settings", public)
    assert post(scene, LISTING, Host="kb.example.com").status_code == 200
    configured(allowed_hosts=("kb.example.com",))
    assert post(scene, LISTING, Host="kb.example.com:443").status_code == 200
    assert post(scene, LISTING, Host="evil.example").status_code == 403
    assert post(scene, LISTING, Host="127.0.0.1").status_code == 403


def test_switched_off_it_is_not_there(scene: Scene, configured: Any) -> None:
    configured(enabled=False)
    answer = post(scene, LISTING)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")
