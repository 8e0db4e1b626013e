"""`Idempotency-Key`: carried out once, answered alike ever after."""

import threading
from typing import Any

import httpx
import pytest

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.domain.document import VersionState
from kbcore.errors import Conflict
from kbcore.metadata import conversations, idempotency, versions
from kbcore.metadata.database import Database
from tests.api_server import Api

KEY = {"Idempotency-Key": "k-1"}


def test_a_repeated_write_is_answered_from_memory(api: Api) -> None:
    first = api.admin.post("/v1/spaces", json={"name": "hr"}, headers=KEY)
    again = api.admin.post("/v1/spaces", json={"name": "hr"}, headers=KEY)
    assert (again.status_code, again.json()) == (201, first.json())
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(api.admin.get("/v1/spaces").json()["items"]) == 1


def test_a_repeated_upload_makes_one_document_whatever_the_boundary(api: Api) -> None:
    api.space("hr")
    bodies = [
        api.admin.post("/v1/documents", data={"space": "hr"}, files={"file": ("a.txt", b"x")}, headers=KEY)
        for _ in range(2)
    ]
    assert bodies[0].json() == bodies[1].json()
    assert [response.status_code for response in bodies] == [202, 202]
    assert api.admin.get("/v1/ledger").json()["totals"]["received"] == 1


@pytest.mark.parametrize("second", [{"json": {"name": "other"}}, {"json": {"name": "hr", "title": "t"}}])
def test_one_key_is_one_request(api: Api, second: dict[str, object]) -> None:
    api.admin.post("/v1/spaces", json={"name": "hr"}, headers=KEY).raise_for_status()
    refused = api.admin.request("POST", "/v1/spaces", headers=KEY, **second)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    other_route = api.admin.post("/v1/groups", json={"name": "hr"}, headers=KEY)
    assert other_route.json()["code"] == "idempotency_key_reused"


def test_keys_belong_to_their_callers(api: Api) -> None:
    other = api.person("boss", is_admin=True)
    api.admin.post("/v1/groups", json={"name": "a"}, headers=KEY).raise_for_status()
    assert other.post("/v1/groups", json={"name": "b"}, headers=KEY).status_code == 201


def test_a_refused_write_may_be_repeated(api: Api) -> None:
    api.admin.post("/v1/groups", json={"name": "a"}).raise_for_status()
    assert api.admin.post("/v1/groups", json={"name": "a"}, headers=KEY).status_code == 409
    api.admin.delete("/v1/groups/a").raise_for_status()
    assert api.admin.post("/v1/groups", json={"name": "a"}, headers=KEY).status_code == 201


def test_a_secret_is_not_kept_for_replays(api: Api) -> None:
    body = {"user": "admin", "name": "k"}
    first = api.admin.post("/v1/api-keys", json=body, headers=KEY).json()
    again = api.admin.post("/v1/api-keys", json=body, headers=KEY).json()
    assert first["key"].startswith("zk_")
    assert again == {**first, "key": None}


def test_a_write_with_an_empty_answer_is_repeated_too(api: Api) -> None:
    api.admin.post("/v1/groups", json={"name": "a"}).raise_for_status()
    assert [api.admin.delete("/v1/groups/a", headers=KEY).status_code for _ in range(2)] == [204, 204]
    assert api.admin.delete("/v1/groups/a").status_code == 404


def test_two_at_once_are_carried_out_once(api: Api) -> None:
    answers: list[httpx.Response] = []
    token = api.admin.headers["authorization"].removeprefix("Bearer ")
    clients = [api.client(token) for _ in range(6)]

    def post(client: httpx.Client) -> None:
        answers.append(client.post("/v1/groups", json={"name": "once"}, headers=KEY))

    threads = [threading.Thread(target=post, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {201, 409}
    assert 201 in codes
    assert all(answer.json()["code"] == "idempotency_in_progress" for answer in answers if answer.status_code == 409)
    assert len(api.admin.get("/v1/groups").json()["items"]) == 1


def test_a_key_in_use_is_refused_and_a_rolled_back_one_is_free(database: Database) -> None:
    with database.begin() as first:
        assert idempotency.begin(first, "u", "k", b"h") is None
        with pytest.raises(Conflict) as refusal, database.begin() as second:
            idempotency.begin(second, "u", "k", b"h")
        assert refusal.value.code == "idempotency_in_progress"
        first.rollback()
    with database.begin() as third:
        assert idempotency.begin(third, "u", "k", b"h") is None


def test_feedback_and_the_end_of_a_conversation_are_writes_like_others(api: Api) -> None:
    opinion = {"trace_id": "a" * 32, "rating": 1}
    answers = [api.admin.post("/v1/feedback", json=opinion, headers=KEY) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"
    with api.database.begin() as connection:
        user_id = api.admin.get("/v1/users/me").json()["id"]
        path = f"/v1/conversations/{conversations.create(connection, user_id, 'leave')}"
    gone = [api.admin.delete(path, headers={"Idempotency-Key": "k-2"}) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [204, 204]
    assert api.admin.get(path).status_code == 404


def test_a_remembered_answer_is_not_shown_to_who_lost_the_right_to_read_it(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", lina="editor")
    path = f"/v1/documents/{api.upload(lina, 'hr', title='secret')['document_id']}"
    first = lina.patch(path, json={"tags": ["a"]}, headers=KEY)
    assert first.json()["title"] == "secret"
    assert lina.patch(path, json={"tags": ["a"]}, headers=KEY).json() == first.json()
    api.admin.put("/v1/spaces/hr/policy", json={}).raise_for_status()
    assert lina.patch(path, json={"tags": ["a"]}, headers=KEY).status_code == 404


def test_no_replay_tells_more_than_the_rights_of_now(api: Api) -> None:
    """Each write of a document, by somebody who may not read it any more: as if it had never been."""
    lina = api.person("lina")
    api.space("hr", lina="manager")
    made = api.upload(lina, "hr", external_id="a")
    path = f"/v1/documents/{made['document_id']}"
    with api.database.begin() as connection:
        text = StoredText("content", (Span(ElementKind.TEXT, 0, 7),))
        versions.store_text(
            connection, made["document_id"], 1, text,
            media_type="text/plain", title="a", language="en", pages=None, element_counts={"text": 1},
        )  # fmt: skip
        versions.restate(connection, made["document_id"], 1, state=VersionState.INDEXED)
    jobs_of = lambda: lina.get("/v1/jobs").json()["items"][0]["id"]  # noqa: E731
    form = {"data": {"space": "hr", "external_id": "a"}, "files": {"file": ("a.txt", b"other")}}
    policy = {"json": {"allow": [{"principal": "user:lina", "role": "manager"}]}}
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{path}/text", {"json": {"text": "contents"}}),
        ("POST", f"/v1/jobs/{jobs_of()}/cancel", {}),
        ("POST", f"{path}/rollback", {"json": {"to": 1}}),
        ("POST", "/v1/documents", form),
        ("PUT", f"{path}/content", {"content": b"third"}),
        ("PUT", f"{path}/policy", policy),
        ("DELETE", f"{path}/policy", {}),
        ("PATCH", "/v1/spaces/hr", {"json": {"title": "t"}}),
        ("PUT", "/v1/spaces/hr/policy", policy),
        ("POST", "/v1/spaces/hr/purge", {}),
        ("POST", "/v1/snapshots", {"json": {"name": "s1", "space": "hr"}}),
        ("DELETE", path, {}),
    ]

    def send(number: int) -> httpx.Response:
        method, where, content = writes[number]
        return lina.request(method, where, headers={"Idempotency-Key": f"w-{number}"}, **content)

    for number in range(len(writes)):
        first, again = send(number), send(number)
        assert first.status_code < 300, first.text
        assert again.status_code == first.status_code
        assert (again.content and again.json()) == (first.content and first.json())
        assert again.headers["idempotent-replayed"] == "true"
    api.admin.put("/v1/spaces/hr/policy", json={}).raise_for_status()
    assert [send(number).status_code for number in range(len(writes))] == [404] * len(writes)


def test_a_deletion_is_answered_alike_while_the_rights_last(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", lina="editor")
    path = f"/v1/documents/{api.upload(lina, 'hr')['document_id']}"
    assert [lina.delete(path, headers=KEY).status_code for _ in range(2)] == [204, 204]
    api.admin.put("/v1/spaces/hr/policy", json={}).raise_for_status()
    assert lina.delete(path, headers=KEY).status_code == 404
