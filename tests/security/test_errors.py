"""Errors: always a problem document, a trace id, safe headers; never what was sent, a stack trace or a secret."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from kbcore.metadata.database import Database
from services.api.app import create_app
from tests.api_server import Api, api_settings, serving

SECRET = "s3cret-value-that-must-not-come-back"


def is_problem(response: httpx.Response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:zhiku:error:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["trace_id"] == response.headers["x-trace-id"]
    assert len(body["trace_id"]) == 32


def test_unknown_routes_and_methods(api: Api) -> None:
    is_problem(api.admin.get("/v1/nothing"), 404, "route_not_found")
    refused = api.admin.post("/v1/ledger")
    is_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "HEAD, GET"
    several = api.admin.put("/v1/documents")
    is_problem(several, 405, "method_not_allowed")
    assert several.headers["allow"] == "HEAD, GET, POST"


@pytest.mark.parametrize("path", ["documents", "jobs", "ledger", "conversations", "users", "groups", "api-keys"])
def test_a_stranger_is_told_nothing_but_401(api: Api, path: str) -> None:
    is_problem(api.client().get(f"/v1/{path}?cursor=AAAA&limit=0"), 401, "unauthenticated")


def test_head_is_get_without_a_body(api: Api) -> None:
    for path in ("/healthz", "/v1/documents", "/"):
        head, get = api.admin.head(path), api.admin.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]
    assert api.client().head("/v1/documents").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/users", {"name": SECRET + "\x00", "unexpected": SECRET}),
        ("POST", "/v1/users", {"name": "ok", "clearance": SECRET}),
        ("POST", "/v1/users", [SECRET]),
        ("POST", "/v1/users", SECRET),
        ("PUT", "/v1/spaces/hr/policy", {"allow": [{"principal": "everyone", "role": SECRET}]}),
        ("POST", "/v1/api-keys", {"user": "admin", "name": "k", "expires_at": SECRET}),
        ("POST", "/v1/search", {"query": "?", "top_k": SECRET}),
    ],
)
def test_validation_names_fields_and_repeats_no_values(api: Api, method: str, path: str, body: Any) -> None:
    response = api.admin.request(method, path, json=body)
    is_problem(response, 422, "validation_failed")
    assert all(set(item) == {"loc", "msg"} for item in response.json()["errors"])
    assert SECRET not in response.text


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 100_000, b"null", b"NaN"])
def test_broken_json_is_the_senders_error(api: Api, body: bytes) -> None:
    response = api.admin.post("/v1/users", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    is_problem(response, response.status_code, response.json()["code"])


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said_to_be_no_json(api: Api, body: bytes) -> None:
    for path in ("/v1/users", "/v1/search"):
        response = api.admin.post(path, content=body, headers={"Content-Type": "application/json"})
        is_problem(response, 400, "invalid_json")
    chat = api.admin.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert (chat.status_code, chat.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("character", ["\\ud800", "\\u0000"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/ask", '{"question": "?", "conversation_id": "%s"}'),
        ("POST", "/v1/search", '{"query": "?", "spaces": ["%s"]}'),
        ("POST", "/v1/chat/completions", '{"model": "zhiku", "messages": [{"role": "user", "content": "%s"}]}'),
        ("POST", "/v1/api-keys", '{"user": "%s", "name": "k"}'),
        ("POST", "/v1/users", '{"name": "u", "display_name": "%s"}'),
        ("POST", "/v1/groups/none/members", '{"members": ["user:%s"]}'),
        ("PUT", "/v1/spaces/hr/policy", '{"allow": [{"principal": "user:%s", "role": "reader"}]}'),
        ("PUT", "/v1/spaces/hr/policy", '{"deny": ["%s"]}'),
        ("POST", "/v1/feedback", '{"trace_id": "%s", "rating": 1}'),
    ],
)
def test_characters_that_cannot_be_stored_are_named(
    api: Api, method: str, path: str, body: str, character: str
) -> None:
    response = api.admin.request(method, path, content=body % character, headers={"Content-Type": "application/json"})
    answer = response.json()
    status = 400 if path == "/v1/chat/completions" else 422  # what OpenAI's clients expect
    assert (response.status_code, answer.get("error", answer)["code"]) == (status, "validation_failed")
    assert "[" not in answer.get("error", answer).get("param", "")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_sent_as_something_else_is_refused_as_that(api: Api, media_type: str) -> None:
    response = api.admin.post("/v1/search", content=b'{"query": "?"}', headers={"Content-Type": media_type})
    is_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/documents/%00",
        "/v1/documents/%ff",
        "/v1/documents/..%2f..%2fetc",
        "/v1/documents/" + "x" * 5000,
        "/v1/documents?q=%00",
        "/v1/documents?space=%00",
        "/v1/documents?cursor=AAAA",
        "/v1/documents/x/versions/1e9",
        "/v1/jobs/%00/events",
        "/v1/ledger?cursor=eA",
        "/v1/users/%F0%9F%92%A9",
    ],
)
def test_odd_addresses_are_the_callers_error(api: Api, path: str) -> None:
    response = api.admin.get(path)
    assert 400 <= response.status_code < 500 or response.json() == {"items": [], "next_cursor": None}
    if response.status_code >= 400:
        is_problem(response, response.status_code, response.json()["code"])


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/v1/embeddings", "/v1/models/none"])
def test_openai_routes_answer_errors_in_openais_shape(api: Api, path: str) -> None:
    method = "POST" if path.endswith(("completions", "embeddings")) else "GET"
    body: dict[str, Any] = {"json": {"model": "zhiku", "messages": [{"role": "user", "content": "?"}], "input": "?"}}
    error = api.client().request(method, path, **(body if method == "POST" else {})).json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    invalid = api.admin.post("/v1/chat/completions", json={"model": "zhiku", "messages": "?"}).json()["error"]
    assert (invalid["type"], invalid["code"]) == ("invalid_request_error", "validation_failed")
    assert invalid["param"].startswith("messages")


def test_dify_gets_its_own_shape(api: Api) -> None:
    body = {"knowledge_id": "none", "query": "?", "retrieval_setting": {"top_k": 1, "score_threshold": 0}}
    assert api.client().post("/retrieval", json=body).json()["error_code"] == 1002
    assert api.admin.post("/retrieval", json=body).json()["error_code"] == 2001


def test_every_answer_has_a_trace_id_and_safe_headers(api: Api) -> None:
    answers = [api.admin.get(path) for path in ("/v1/users/me", "/v1/nothing", "/healthz", "/", "/metrics")]
    answers.append(api.client().get("/v1/documents"))
    assert len({answer.headers["x-trace-id"] for answer in answers}) == len(answers)
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert answers[0].headers["cache-control"] == "no-store"


def test_a_trace_begun_elsewhere_goes_on(api: Api) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert api.admin.get("/healthz", headers=sent).headers["x-trace-id"] == trace
    for odd in ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", "x" * 200, "00-<script>-1-1"):
        assert api.admin.get("/healthz", headers={"traceparent": odd}).headers["x-trace-id"] != odd[3:35]


@pytest.fixture
def broken(database: Database, servers_home: Any, postgres_url: str, redis_url: str) -> Iterator[Api]:
    """The application with one route that is defective in two ways."""
    app: FastAPI = create_app(api_settings(servers_home / "broken", postgres_url, redis_url))

    @app.get("/defect")
    def defect() -> None:
        raise RuntimeError(SECRET)

    with serving(app) as url:
        api = Api(url, app, database)
        yield api
        api.close()


def test_a_defect_says_nothing_but_its_trace_id(broken: Api) -> None:
    response = broken.client().get("/defect")
    is_problem(response, 500, "internal_error")
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    assert "RuntimeError" not in response.text
    assert broken.client().get("/healthz").status_code == 200


def test_metrics_hold_routes_and_numbers_only(api: Api) -> None:
    api.admin.get(f"/v1/documents/{SECRET}")
    api.admin.request("PROPFIND", "/v1/nothing")
    text = api.admin.get("/metrics").text
    assert 'route="/v1/documents/{document_id}"' in text
    assert 'method="OTHER"' in text
    assert SECRET not in text


def test_the_openapi_document_describes_every_route(api: Api) -> None:
    document = api.client().get("/openapi.json").json()
    assert "Problem" in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("summary"), where
            assert operation.get("description"), where
            success = [status for status in operation["responses"] if status.startswith("2")]
            assert success, where
            if path.startswith("/v1/"):
                assert {"401", "503"} <= set(operation["responses"]), where
                assert operation.get("security") or path == "/v1/login", where
    references = {part.split('"')[0] for part in str(document).replace("'", '"').split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])


def test_the_openapi_document_says_which_shape_errors_have(api: Api) -> None:
    paths = api.client().get("/openapi.json").json()["paths"]
    openai = ("/v1/chat/completions", "/v1/models", "/v1/models/{model_id}", "/v1/embeddings")
    foreign = {"/retrieval": "DifyError", **dict.fromkeys(openai, "OpenAIErrorBody")}
    for path, operations in paths.items():
        for operation in operations.values():
            for status, described in operation["responses"].items():
                if int(status) < 400 or path == "/readyz":
                    continue
                shapes = {content["schema"]["$ref"].rsplit("/")[-1] for content in described["content"].values()}
                usual = "ScimError" if path.startswith("/scim/") else "Problem"
                assert shapes == {foreign.get(path, usual)}, f"{path} {status}"
    assert {"400", "404", "413", "415", "422"} <= set(paths["/v1/ask"]["post"]["responses"])
    assert "401" not in paths["/healthz"]["get"]["responses"]
