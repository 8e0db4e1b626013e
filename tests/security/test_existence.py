"""A thing that may not be seen is answered exactly like a thing that does not exist."""

import re
from typing import Any

import httpx
import pytest

from kbcore.domain.ids import new_id
from kbcore.metadata import documents, jobs, policies
from kbcore.permissions.policy import Policy
from tests.security.scene import Scene
from tests.security.test_routes_roles import ROWS, Row

FILE = {"file": ("note.txt", b"text")}
MANAGED = ("/policy", "/answers")
READS = ("", "/versions", "/versions/1", "/versions/1/content", "/versions/1/chunks", "/versions/1/ledger", *MANAGED)


def shown(response: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    """Everything that a caller can compare: status, body and headers, without what differs on every answer."""
    body = response.json()
    body.pop("trace_id", None)
    headers = {name: value for name, value in response.headers.items() if name not in ("x-trace-id", "date")}
    return response.status_code, body, headers


@pytest.mark.parametrize(
    ("role", "suffix"),
    [
        (role, suffix)
        for role in ("outsider", "reader", "editor", "manager", "admin")
        for suffix in READS
        if role != "admin" or suffix not in MANAGED  # administrators set policies, and answer for documents
    ],
)
def test_documents_behind_another_policy_do_not_exist(scene: Scene, role: str, suffix: str) -> None:
    client = scene.clients[role]
    hidden = shown(client.get(f"/v1/documents/{scene.with_own_policy()}{suffix}"))
    assert hidden == shown(client.get(f"/v1/documents/{new_id()}{suffix}"))
    assert hidden == shown(client.get(f"/v1/documents/nonsense{suffix}"))
    assert hidden[0] == 404


@pytest.mark.parametrize(
    ("method", "suffix", "send"),
    [
        ("PATCH", "", {"json": {"title": "x"}}),
        ("PATCH", "", {"json": {"classification": "public"}, "headers": {"If-Match": '"9"'}}),
        ("DELETE", "", {}),
        ("PUT", "/content", {"files": FILE}),
        ("PUT", "/policy", {"json": {"allow": [], "deny": []}}),
        ("PUT", "/policy", {"json": {"allow": [{"principal": "user:nobody-at-all", "role": "reader"}]}}),
        ("DELETE", "/policy", {}),
    ],
)
def test_changing_a_hidden_document_is_changing_nothing(
    scene: Scene, method: str, suffix: str, send: dict[str, Any]
) -> None:
    client = scene.clients["editor"]
    hidden = client.request(method, f"/v1/documents/{scene.with_own_policy()}{suffix}", **send)
    unknown = client.request(method, f"/v1/documents/{new_id()}{suffix}", **send)
    assert shown(hidden) == shown(unknown)
    assert hidden.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "send"),
    [
        ("GET", "/v1/spaces/{space}", {}),
        ("PATCH", "/v1/spaces/{space}", {"json": {"title": "x"}}),
        ("DELETE", "/v1/spaces/{space}", {}),
        ("GET", "/v1/spaces/{space}/policy", {}),
        ("PUT", "/v1/spaces/{space}/policy", {"json": {"allow": []}}),
        ("GET", "/v1/documents?space={space}", {}),
        ("GET", "/v1/ledger?space={space}", {}),
        ("POST", "/v1/documents", {"files": FILE, "data": {"space": "{space}"}}),
        ("POST", "/v1/search", {"json": {"query": "?", "spaces": ["{space}"]}}),
        ("POST", "/v1/ask", {"json": {"question": "?", "spaces": ["{space}"]}}),
    ],
)
def test_spaces_of_others_do_not_exist(scene: Scene, method: str, path: str, send: dict[str, Any]) -> None:
    def call(space: str) -> tuple[int, Any, dict[str, str]]:
        filled = with_space(send, space)
        return shown(scene.clients["outsider"].request(method, path.format(space=space), **filled))

    assert call(scene.space()) == call(new_id()) == call("no-such-space")


def test_snapshots_of_hidden_spaces_do_not_exist(scene: Scene) -> None:
    for method in ("GET", "DELETE"):
        client = scene.clients["outsider"]
        hidden = shown(client.request(method, f"/v1/snapshots/{scene.snapshot()}"))
        assert hidden == shown(client.request(method, f"/v1/snapshots/n-{new_id()[-12:]}"))
        assert hidden[0] == 404
    space = scene.space()
    name = scene.snapshot(space)
    listed = {item["name"] for item in scene.clients["outsider"].get("/v1/snapshots?limit=200").json()["items"]}
    assert name not in listed
    assert name in {item["name"] for item in scene.clients["reader"].get("/v1/snapshots").json()["items"]}
    body = {"name": "present", "space": space}
    unknown = shown(scene.clients["outsider"].post("/v1/snapshots", json={**body, "space": new_id()}))
    assert shown(scene.clients["outsider"].post("/v1/snapshots", json=body)) == unknown


def test_glossary_entries_of_hidden_spaces_do_not_exist(scene: Scene) -> None:
    client, space = scene.clients["outsider"], scene.space()
    made = scene.glossary_entry(space)
    for method, send in (("PATCH", {"json": {"expansions": ["x"]}}), ("DELETE", {})):
        hidden = shown(client.request(method, f"/v1/glossary/{made}", **send))
        assert hidden == shown(client.request(method, f"/v1/glossary/{new_id()}", **send))
        assert hidden[0] == 404
    assert made not in {item["id"] for item in client.get("/v1/glossary?limit=200").json()["items"]}
    listed = scene.clients["reader"].get("/v1/glossary?limit=200", params={"space": space}).json()["items"]
    assert [item["id"] for item in listed] == [made]
    assert shown(client.get("/v1/glossary", params={"space": space})) == shown(
        client.get("/v1/glossary", params={"space": new_id()})
    )


@pytest.mark.parametrize("role", ["reader", "editor", "manager"])
def test_jobs_of_hidden_documents_do_not_exist(scene: Scene, role: str) -> None:
    client, document = scene.clients[role], scene.with_own_policy()
    with scene.api.database.begin() as connection:
        job = jobs.ingest_job_of(connection, document, 1)
    for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
        hidden = shown(client.request(method, f"/v1/jobs/{job}{suffix}"))
        assert hidden == shown(client.request(method, f"/v1/jobs/{new_id()}{suffix}"))
        assert hidden[0] == 404


def test_jobs_of_others_do_not_exist(scene: Scene) -> None:
    for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
        client = scene.clients["reader"]
        hidden = shown(client.request(method, f"/v1/jobs/{scene.job()}{suffix}"))
        assert hidden == shown(client.request(method, f"/v1/jobs/{new_id()}{suffix}"))
        assert hidden[0] == 404


def test_a_classification_above_the_clearance_hides_a_document(scene: Scene) -> None:
    document = scene.document()
    editor = scene.clients["editor"]
    assert editor.get(f"/v1/documents/{document}").status_code == 200
    with scene.api.database.begin() as connection:
        documents.update(connection, document, classification=3)
    assert shown(editor.get(f"/v1/documents/{document}")) == shown(editor.get(f"/v1/documents/{new_id()}"))


def test_an_external_id_of_a_hidden_document_says_only_that_it_is_taken(scene: Scene) -> None:
    space = scene.space()
    document = scene.document(space, "plan")
    with scene.api.database.begin() as connection:
        documents.update(connection, document, own_policy_id=policies.intern_policy(connection, Policy()))
    answer = scene.clients["editor"].post("/v1/documents", data={"space": space, "external_id": "plan"}, files=FILE)
    assert (answer.status_code, answer.json()["code"]) == (409, "external_id_taken")
    assert document not in answer.text


def other_than(values: dict[str, Any]) -> dict[str, Any]:
    """Path parameters that name nothing: fresh ids and names; numbers stay beside an id, and alone are very large."""
    fresh: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, int):
            fresh[name] = value if len(values) > 1 else value + 10**6
        elif value.startswith(("user:", "group:")):
            fresh[name] = f"{value.partition(':')[0]}:{new_id()}"
        else:
            fresh[name] = new_id() if re.fullmatch(r"[0-9a-f-]{36}", value) else f"n-{new_id()[-12:]}"
    return fresh


PUBLIC = {"GET /assets/{name}", "GET /v1/models/{model_id:path}"}
"""Parts of the page, and the models, which everybody may know."""
NAMING = [row for row in ROWS if "{" in row.route and row.route not in PUBLIC]
OF_DOCUMENTS = [row for row in NAMING if "{document_id}" in row.route]


def asked(scene: Scene, row: Row, role: str, values: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    """The row's call with these path parameters, as this role."""
    method, template = row.route.split()
    content = {name: value(scene) if callable(value) else value for name, value in row.send.items()}
    return shown(scene.clients[role].request(method, template.replace(":path", "").format(**values), **content))


@pytest.mark.parametrize("row", NAMING, ids=lambda row: row.route)
def test_every_route_with_an_id_hides_what_it_names(scene: Scene, row: Row) -> None:
    """To a stranger and to a user without a role, a manager's thing is nothing, on every route that takes an id."""
    for role in ("nobody", "outsider"):
        values = row.path(scene, "manager")
        hidden = asked(scene, row, role, values)
        assert hidden[0] in (401, 403, 404)
        assert hidden == asked(scene, row, role, other_than(values))


@pytest.mark.parametrize("row", OF_DOCUMENTS, ids=lambda row: row.route)
def test_every_route_of_a_document_hides_one_with_a_policy_of_its_own(scene: Scene, row: Row) -> None:
    """From those who read, change and manage everything else in its space."""
    for role in ("reader", "editor", "manager"):
        values = {**row.path(scene, role), "document_id": scene.with_own_policy()}
        hidden = asked(scene, row, role, values)
        assert hidden[0] in (403, 404)
        assert hidden == asked(scene, row, role, other_than(values))


def with_space(send: dict[str, Any], space: str) -> dict[str, Any]:
    """The request with the space filled in."""
    filled: dict[str, Any] = {}
    for name, value in send.items():
        if isinstance(value, dict):
            filled[name] = with_space(value, space)
        elif isinstance(value, list):
            filled[name] = [space if item == "{space}" else item for item in value]
        else:
            filled[name] = space if value == "{space}" else value
    return filled
