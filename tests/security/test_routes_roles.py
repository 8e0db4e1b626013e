"""Who may call what: every route, seven kinds of caller. A route without a row here fails the last test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from tests.security.scene import ROLES, Scene

Arguments = Callable[[Scene, str], dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """A route, what each caller of `ROLES` is answered, and how to make a call that is right in everything else.

    `path` gives the path's parameters, `send` the rest, both freshly for every call.
    """

    route: str
    answers: str
    path: Arguments = lambda scene, role: {}
    send: dict[str, Any] = field(default_factory=dict)

    def call(self, scene: Scene, role: str, client: httpx.Client | None = None) -> httpx.Response:
        """The call, as this role; with another client of the same person, if one is given."""
        method, template = self.route.split()
        path = template.replace(":path", "").format(**self.path(scene, role))
        content = {name: value(scene) if callable(value) else value for name, value in self.send.items()}
        return (client or scene.clients[role]).request(method, path, **content)


def _document(scene: Scene, _role: str) -> dict[str, Any]:
    return {"document_id": scene.document(), "number": 1}


def _indexed(scene: Scene, _role: str) -> dict[str, Any]:
    return {"document_id": scene.indexed(), "number": 1, "other": 1}


def _space(scene: Scene, _role: str) -> dict[str, Any]:
    return {"space": scene.space()}


def _snapshot(scene: Scene, _role: str) -> dict[str, Any]:
    return {"name": scene.snapshot()}


def _glossary_entry(scene: Scene, _role: str) -> dict[str, Any]:
    return {"entry_id": scene.glossary_entry()}


def _member(scene: Scene, _role: str) -> dict[str, Any]:
    member = f"user:{scene.user()}"
    return {"group": scene.group(member), "member": member}


def _own_conversation(scene: Scene, role: str) -> dict[str, Any]:
    return {"conversation_id": scene.conversation("reader" if role == "nobody" else role)}


def _complaint(scene: Scene, _role: str) -> dict[str, Any]:
    return {"complaint_id": scene.complaint()}


def _readers_trace(scene: Scene, _role: str) -> dict[str, Any]:
    return {"trace_id": scene.trace("reader")}


FILE = {"file": ("note.txt", b"text")}
POLICY = {"allow": [{"principal": "everyone", "role": "reader"}], "deny": []}
QUESTION = {"model": "zhiku", "messages": [{"role": "user", "content": "?"}]}

ROWS = (
    # route                                            nobody outsider reader editor manager auditor admin
    Row("POST /v1/documents",                                   "401 404 403 202 202 404 202",
        send={"files": FILE, "data": lambda scene: {"space": scene.space()}}),
    Row("GET /v1/documents",                                    "401 200 200 200 200 200 200"),
    Row("GET /v1/documents/{document_id}",                      "401 404 200 200 200 404 404", _document),
    Row("PATCH /v1/documents/{document_id}",                    "401 404 403 200 200 404 404", _document,
        send={"json": {"title": "new"}}),
    Row("DELETE /v1/documents/{document_id}",                   "401 404 403 204 204 404 404", _document),
    Row("PUT /v1/documents/{document_id}/content",              "401 404 403 202 202 404 404", _document,
        send={"files": FILE}),
    Row("GET /v1/documents/{document_id}/versions",             "401 404 200 200 200 404 404", _document),
    Row("GET /v1/documents/{document_id}/versions/{number}",    "401 404 200 200 200 404 404", _document),
    Row("GET /v1/documents/{document_id}/versions/{number}/content", "401 404 200 200 200 404 404", _document),
    Row("GET /v1/documents/{document_id}/versions/{number}/chunks",  "401 404 200 200 200 404 404", _document),
    Row("GET /v1/documents/{document_id}/versions/{number}/diff/{other}", "401 404 200 200 200 404 404", _indexed),
    Row("POST /v1/documents/{document_id}/rollback",            "401 404 403 202 202 404 404", _indexed,
        send={"json": {"to": 1}}),
    Row("PUT /v1/documents/{document_id}/text",                 "401 404 403 202 202 404 404", _indexed,
        send={"json": {"text": "corrected"}}),
    Row("POST /v1/documents/{document_id}/reparse",             "401 404 403 202 202 404 404", _indexed),
    Row("GET /v1/documents/{document_id}/versions/{number}/ledger",  "401 404 200 200 200 404 404", _document),
    Row("GET /v1/documents/{document_id}/answers",              "401 404 403 403 200 404 200", _document),
    Row("GET /v1/documents/{document_id}/policy",               "401 404 403 403 200 404 200", _document),
    Row("PUT /v1/documents/{document_id}/policy",               "401 404 403 403 200 404 200", _document,
        send={"json": POLICY}),
    Row("DELETE /v1/documents/{document_id}/policy",            "401 404 403 403 200 404 200", _document),
    Row("POST /v1/documents/{document_id}/erase",               "401 403 403 403 403 403 202", _document,
        send={"json": {"reason": "on request"}, "headers": {"Prefer": "wait=0"}}),
    Row("GET /v1/erasures/{erasure_id}",                        "401 403 403 403 403 200 200",
        lambda scene, _: {"erasure_id": scene.erasure()}),
    Row("POST /v1/spaces",                                      "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"name": f"n{scene.user()[-12:]}"}}),
    Row("GET /v1/spaces",                                       "401 200 200 200 200 200 200"),
    Row("GET /v1/spaces/{space}",                               "401 404 200 200 200 404 200", _space),
    Row("PATCH /v1/spaces/{space}",                             "401 404 403 403 200 404 200", _space,
        send={"json": {"title": "new"}}),
    Row("DELETE /v1/spaces/{space}",                            "401 403 403 403 403 403 204", _space),
    Row("GET /v1/spaces/{space}/policy",                        "401 404 403 403 200 404 200", _space),
    Row("PUT /v1/spaces/{space}/policy",                        "401 404 403 403 200 404 200", _space,
        send={"json": POLICY}),
    Row("POST /v1/spaces/{space}/purge",                        "401 404 403 403 202 404 202", _space),
    Row("POST /v1/snapshots",                                   "401 404 403 403 201 404 201",
        send={"json": lambda scene: {"name": f"n{scene.user()[-12:]}", "space": scene.space()}}),
    Row("GET /v1/snapshots",                                    "401 200 200 200 200 200 200"),
    Row("GET /v1/snapshots/{name}",                             "401 404 200 200 200 404 200", _snapshot),
    Row("DELETE /v1/snapshots/{name}",                          "401 404 403 403 204 404 204", _snapshot),
    Row("POST /v1/glossary",                                    "401 404 403 403 201 404 201",
        send={"json": lambda scene: {"term": "PTO", "expansions": ["年假"], "space": scene.space()}}),
    Row("GET /v1/glossary",                                     "401 200 200 200 200 200 200"),
    Row("PATCH /v1/glossary/{entry_id}",                        "401 404 403 403 200 404 200", _glossary_entry,
        send={"json": {"expansions": ["annual leave"]}}),
    Row("DELETE /v1/glossary/{entry_id}",                       "401 404 403 403 204 404 204", _glossary_entry),
    Row("GET /v1/access/explain",                               "401 403 403 403 403 200 200",
        send={"params": lambda scene: {"user": scene.user(), "document": scene.document()}}),
    Row("POST /v1/access/preview",                              "401 403 403 403 403 403 200",
        send={"json": lambda scene: {"space": scene.space(), "policy": POLICY}}),
    Row("POST /v1/login",                                       "401 401 401 401 401 401 401",
        send={"json": lambda scene: {"name": scene.user(), "password": "wrong"}}),
    Row("POST /v1/logout",                                      "401 409 409 409 409 409 409"),  # keys, no sessions
    Row("GET /v1/users/me/keys",                                "401 200 200 200 200 200 200"),
    Row("POST /v1/users/me/keys",                               "401 201 201 201 201 201 201",
        send={"json": {"name": "k", "scopes": []}}),
    Row("DELETE /v1/users/me/keys/{key_id}",                    "401 204 204 204 204 204 204",
        lambda scene, role: {"key_id": scene.key_of("reader" if role == "nobody" else role)}),
    Row("PUT /v1/users/{user}/password",                        "401 403 403 403 403 403 204",
        lambda scene, _: {"user": scene.user()}, send={"json": {"password": "horse-battery-9"}}),
    Row("GET /v1/users/me",                                     "401 200 200 200 200 200 200"),
    Row("POST /v1/users",                                       "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"name": f"n{scene.user()[-12:]}"}}),
    Row("GET /v1/users",                                        "401 403 403 403 403 200 200"),
    Row("GET /v1/users/{user}",                                 "401 403 403 403 403 200 200",
        lambda scene, _: {"user": scene.user()}),
    Row("PATCH /v1/users/{user}",                               "401 403 403 403 403 403 200",
        lambda scene, _: {"user": scene.user()}, send={"json": {"is_admin": True}}),
    Row("DELETE /v1/users/{user}",                              "401 403 403 403 403 403 204",
        lambda scene, _: {"user": scene.user()}),
    Row("GET /v1/users/me/export",                              "401 200 200 200 200 200 200"),
    Row("GET /v1/users/{user}/export",                          "401 403 403 403 403 403 200",
        lambda scene, _: {"user": scene.user()}),
    Row("POST /v1/users/{user}/erase",                          "401 403 403 403 403 403 200",
        lambda scene, _: {"user": scene.user()}),
    Row("POST /v1/groups",                                      "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"name": f"n{scene.user()[-12:]}"}}),
    Row("GET /v1/groups",                                       "401 403 403 403 403 200 200"),
    Row("GET /v1/groups/{group}",                               "401 403 403 403 403 200 200", _member),
    Row("PATCH /v1/groups/{group}",                             "401 403 403 403 403 403 200", _member,
        send={"json": {"title": "new"}}),
    Row("DELETE /v1/groups/{group}",                            "401 403 403 403 403 403 204", _member),
    Row("GET /v1/groups/{group}/members",                       "401 403 403 403 403 200 200", _member),
    Row("POST /v1/groups/{group}/members",                      "401 403 403 403 403 403 200", _member,
        send={"json": lambda scene: {"members": [f"user:{scene.user()}"]}}),
    Row("DELETE /v1/groups/{group}/members/{member}",           "401 403 403 403 403 403 204", _member),
    Row("GET /scim/v2/Users",                                   "401 403 403 403 403 403 200"),
    Row("POST /scim/v2/Users",                                  "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"userName": f"n{scene.user()[-12:]}"}}),
    Row("GET /scim/v2/Users/{user_id}",                         "401 403 403 403 403 403 200",
        lambda scene, _: {"user_id": scene.user()}),
    Row("PUT /scim/v2/Users/{user_id}",                         "401 403 403 403 403 403 200",
        lambda scene, _: {"user_id": scene.user()},
        send={"json": lambda scene: {"userName": f"n{scene.user()[-12:]}"}}),
    Row("PATCH /scim/v2/Users/{user_id}",                       "401 403 403 403 403 403 200",
        lambda scene, _: {"user_id": scene.user()},
        send={"json": {"Operations": [{"op": "replace", "path": "active", "value": False}]}}),
    Row("DELETE /scim/v2/Users/{user_id}",                      "401 403 403 403 403 403 204",
        lambda scene, _: {"user_id": scene.user()}),
    Row("GET /scim/v2/Groups",                                  "401 403 403 403 403 403 200"),
    Row("POST /scim/v2/Groups",                                 "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"displayName": f"n{scene.user()[-12:]}"}}),
    Row("GET /scim/v2/Groups/{group_id}",                       "401 403 403 403 403 403 200",
        lambda scene, _: {"group_id": scene.group()}),
    Row("PUT /scim/v2/Groups/{group_id}",                       "401 403 403 403 403 403 200",
        lambda scene, _: {"group_id": scene.group()},
        send={"json": lambda scene: {"displayName": f"n{scene.user()[-12:]}"}}),
    Row("PATCH /scim/v2/Groups/{group_id}",                     "401 403 403 403 403 403 204",
        lambda scene, _: {"group_id": scene.group()},
        send={"json": {"Operations": [{"op": "remove", "path": "members"}]}}),
    Row("DELETE /scim/v2/Groups/{group_id}",                    "401 403 403 403 403 403 204",
        lambda scene, _: {"group_id": scene.group()}),
    Row("GET /scim/v2/ServiceProviderConfig",                   "401 403 403 403 403 403 200"),
    Row("GET /scim/v2/ResourceTypes",                           "401 403 403 403 403 403 200"),
    Row("GET /scim/v2/ResourceTypes/{name}",                    "401 403 403 403 403 403 200",
        lambda _, __: {"name": "User"}),
    Row("GET /scim/v2/Schemas",                                 "401 403 403 403 403 403 200"),
    Row("GET /scim/v2/Schemas/{schema}",                        "401 403 403 403 403 403 200",
        lambda _, __: {"schema": "urn:ietf:params:scim:schemas:core:2.0:Group"}),
    Row("POST /v1/api-keys",                                    "401 403 403 403 403 403 201",
        send={"json": lambda scene: {"user": scene.user(), "name": "k"}}),
    Row("GET /v1/api-keys",                                     "401 403 403 403 403 200 200"),
    Row("GET /v1/api-keys/{key_id}",                            "401 403 403 403 403 200 200",
        lambda scene, _: {"key_id": scene.key()}),
    Row("PATCH /v1/api-keys/{key_id}",                          "401 403 403 403 403 403 200",
        lambda scene, _: {"key_id": scene.key()}, send={"json": {"name": "new"}}),
    Row("DELETE /v1/api-keys/{key_id}",                         "401 403 403 403 403 403 204",
        lambda scene, _: {"key_id": scene.key()}),
    Row("GET /v1/jobs",                                         "401 200 200 200 200 200 200"),
    Row("GET /v1/jobs/{job_id}",                                "401 404 404 200 200 404 200",
        lambda scene, _: {"job_id": scene.job()}),
    Row("GET /v1/jobs/{job_id}/events",                         "401 404 404 200 200 404 200",
        lambda scene, _: {"job_id": scene.job(failed=True)}),
    Row("POST /v1/jobs/{job_id}/cancel",                        "401 404 404 200 200 404 200",
        lambda scene, _: {"job_id": scene.job()}),
    Row("POST /v1/jobs/{job_id}/retry",                         "401 404 404 202 202 404 202",
        lambda scene, _: {"job_id": scene.job(failed=True)}),
    # There is no index in this scene: the orders of an administrator find none.
    Row("POST /v1/reindex",                                     "401 403 403 403 403 403 503", send={"json": {}}),
    Row("POST /v1/reindex/{index_id}/promote",                  "401 403 403 403 403 403 404",
        lambda _, __: {"index_id": 1}),
    Row("POST /v1/reindex/{index_id}/rollback",                 "401 403 403 403 403 403 404",
        lambda _, __: {"index_id": 1}),
    Row("GET /v1/indexes",                                      "401 403 403 403 403 403 200"),
    Row("GET /v1/indexes/{index_id}",                           "401 403 403 403 403 403 404",
        lambda _, __: {"index_id": 1}),
    Row("DELETE /v1/indexes/{index_id}",                        "401 403 403 403 403 403 404",
        lambda _, __: {"index_id": 1}),
    Row("POST /v1/indexes/{index_id}/reconcile",                "401 403 403 403 403 403 404",
        lambda _, __: {"index_id": 1}),
    Row("GET /v1/ledger",                                       "401 200 200 200 200 200 200"),
    Row("GET /v1/audit",                                        "401 403 403 403 403 200 200"),
    Row("POST /v1/audit/verify",                                "401 403 403 403 403 200 200"),
    Row("POST /v1/golden-sets",                                 "401 403 403 403 403 403 201",
        send={"json": lambda scene: scene.golden_questions()}),
    Row("GET /v1/golden-sets",                                  "401 403 403 403 403 403 200"),
    Row("GET /v1/golden-sets/{name}",                           "401 403 403 403 403 403 200",
        lambda scene, _: {"name": scene.golden_set()}),
    Row("DELETE /v1/golden-sets/{name}",                        "401 403 403 403 403 403 204",
        lambda scene, _: {"name": scene.golden_set()}),
    Row("POST /v1/evaluations",                                 "401 403 403 403 403 403 202",
        send={"json": lambda scene: {"set": scene.golden_set(), "generation": scene.retired_index()}}),
    Row("GET /v1/evaluations",                                  "401 403 403 403 403 403 200"),
    Row("GET /v1/evaluations/{evaluation_id}",                  "401 403 403 403 403 403 200",
        lambda scene, _: {"evaluation_id": scene.evaluation()}),
    Row("POST /v1/search",                                      "401 200 200 200 200 200 200",
        send={"json": {"query": "?"}}),
    Row("POST /v1/ask",                                         "401 200 200 200 200 200 200",
        send={"json": {"question": "?"}}),
    Row("POST /v1/chat/completions",                            "401 200 200 200 200 200 200", send={"json": QUESTION}),
    Row("GET /v1/models",                                       "401 200 200 200 200 200 200"),
    Row("GET /v1/models/{model_id:path}",                       "401 200 200 200 200 200 200",
        lambda _, __: {"model_id": "zhiku"}),
    Row("POST /v1/embeddings",                                  "401 200 200 200 200 200 200",
        send={"json": {"model": "zhiku", "input": "?"}}),
    Row("POST /retrieval",                                      "401 404 200 200 200 404 200",
        send={"json": lambda scene: {
            "knowledge_id": scene.space(), "query": "?", "retrieval_setting": {"top_k": 1, "score_threshold": 0.0}}}),
    Row("GET /v1/traces/{trace_id}",                            "401 404 200 404 404 200 200", _readers_trace),
    Row("GET /v1/usage",                                        "401 200 200 200 200 200 200"),
    Row("POST /v1/traces/{trace_id}/replay",                    "401 404 200 404 404 200 200", _readers_trace),
    Row("POST /mcp",                                            "401 200 200 200 200 200 200",
        send={"json": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "headers": {"Accept": "application/json"}}),
    Row("GET /v1/conversations",                                "401 200 200 200 200 200 200"),
    Row("GET /v1/conversations/{conversation_id}",              "401 200 200 200 200 200 200", _own_conversation),
    Row("DELETE /v1/conversations/{conversation_id}",           "401 204 204 204 204 204 204", _own_conversation),
    Row("POST /v1/feedback",                                    "401 201 201 201 201 201 201",
        send={"json": {"trace_id": "0" * 32, "rating": 1}}),
    Row("GET /v1/complaints",                                   "401 403 403 403 403 200 200"),
    Row("PATCH /v1/complaints/{complaint_id}",                  "401 403 403 403 403 403 200", _complaint,
        send={"json": {"note": "looked into"}}),
    Row("GET /.well-known/oauth-protected-resource",            "404 404 404 404 404 404 404"),  # no issuer here
    Row("GET /.well-known/oauth-protected-resource/mcp",        "404 404 404 404 404 404 404"),
    Row("GET /healthz",                                         "200 200 200 200 200 200 200"),
    Row("GET /readyz",                                          "503 503 503 503 503 503 503"),  # no Milvus here
    Row("GET /metrics",                                         "401 403 403 403 403 200 200"),
    Row("GET /openapi.json",                                    "200 200 200 200 200 200 200"),
    Row("GET /",                                                "200 200 200 200 200 200 200"),
    Row("GET /assets/{name}",                                   "200 200 200 200 200 200 200",
        lambda _, __: {"name": "icon.svg"}),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.route)
def test_each_caller_gets_what_the_table_says(scene: Scene, row: Row) -> None:
    answers = {role: str(row.call(scene, role).status_code) for role in ROLES}
    assert answers == dict(zip(ROLES, row.answers.split(), strict=True))


def test_an_administrator_with_a_role_is_no_less_than_that_role(scene: Scene) -> None:
    space = scene.space()
    document = scene.document(space)
    admin = scene.clients["admin"]
    assert admin.get(f"/v1/documents/{document}").status_code == 404
    grant = {"allow": [{"principal": f"user:{scene.user_ids['admin']}", "role": "editor"}]}
    assert admin.put(f"/v1/spaces/{space}/policy", json=grant).status_code == 200
    assert admin.delete(f"/v1/documents/{document}").status_code == 204


def test_every_route_has_a_row(served_api: tuple[str, FastAPI]) -> None:
    _, app = served_api
    served = {f"{method} {path}" for path, methods in _routes(app.routes) for method in methods - {"HEAD"}}
    assert served == {row.route for row in ROWS}


def _routes(routes: list[BaseRoute]) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        if isinstance(route, APIRoute | Route):
            yield route.path, set(route.methods or ())
        else:
            # FastAPI keeps an included router whole; anything else here must be looked at by a person.
            yield from _routes(route.original_router.routes)
