"""Keys: their scopes, keys that people make for themselves, keys that act for people, throttled callers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from kbcore.metadata.tables import users
from services.auth.authenticate import ON_BEHALF_OF
from tests.api_server import Api


def issue(api: Api, **fields: Any) -> dict[str, Any]:
    return dict(api.admin.post("/v1/api-keys", json={"name": "k", **fields}).raise_for_status().json())


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.fixture
def robot(api: Api) -> httpx.Client:
    """A service account's key that may act for people."""
    api.admin.post("/v1/users", json={"name": "robot", "kind": "service"}).raise_for_status()
    return api.client(issue(api, user="robot", acts_for=True)["key"])


def test_a_key_shows_what_it_may_do_and_can_only_be_narrowed(api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    key = issue(api, user="admin", scopes=["search", "read"], expires_at=soon)
    assert (key["scopes"], key["kind"], key["acts_for"]) == (["read", "search"], "key", False)
    path = f"/v1/api-keys/{key['id']}"
    for wider in ({"scopes": ["search", "write"]}, {"scopes": None}, {"expires_at": None}):
        assert refusal(api.admin.patch(path, json=wider)) == (422, "wider_key")
    assert api.admin.patch(path, json={"scopes": ["read"], "name": "renamed"}).json()["scopes"] == ["read"]
    assert refusal(api.client(key["key"]).post("/v1/search", json={"query": "?"})) == (403, "scope_missing")
    assert api.admin.patch(path, json={"scopes": []}).json()["scopes"] == []
    assert api.admin.patch(path, json={"scopes": ["nonsense"]}).status_code == 422
    assert api.admin.patch(path, json={"acts_for": True}).status_code == 422


def test_people_make_list_and_revoke_their_own_keys_and_nobody_elses(api: Api) -> None:
    lina, wang = api.person("lina"), api.person("wang")
    made = lina.post("/v1/users/me/keys", json={"name": "cli", "scopes": ["read"]})
    assert made.status_code == 201
    own = api.client(made.json()["key"])
    assert own.get("/v1/users/me").json()["name"] == "lina"
    assert own.get("/v1/users/me").json()["scopes"] == ["read"]
    assert made.json()["id"] in [item["id"] for item in lina.get("/v1/users/me/keys").json()["items"]]
    assert made.json()["id"] not in wang.get("/v1/users/me/keys").text
    assert refusal(wang.delete(f"/v1/users/me/keys/{made.json()['id']}")) == (404, "api_key_not_found")
    assert lina.delete(f"/v1/users/me/keys/{made.json()['id']}").status_code == 204
    assert own.get("/v1/users/me").status_code == 401


def test_a_key_makes_no_key_that_is_wider_or_lives_longer(api: Api) -> None:
    api.person("lina")
    soon = datetime.now(UTC) + timedelta(days=1)
    key = issue(api, user="lina", scopes=["admin", "read"], expires_at=soon.isoformat())
    client = api.client(key["key"])
    later = (soon + timedelta(seconds=1)).isoformat()
    for body in (
        {"scopes": None, "expires_at": soon.isoformat()},
        {"scopes": ["read", "write"], "expires_at": soon.isoformat()},
        {"scopes": ["read"]},
        {"scopes": ["read"], "expires_at": later},
    ):
        assert refusal(client.post("/v1/users/me/keys", json={"name": "k", **body})) == (422, "wider_key")
    assert client.post("/v1/users/me/keys", json={"name": "k", "acts_for": True}).status_code == 422
    good = {"name": "k", "scopes": ["read"], "expires_at": soon.isoformat()}
    assert client.post("/v1/users/me/keys", json=good).status_code == 201


def test_own_keys_live_as_long_as_the_settings_allow(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = api.platform
    keys = platform.settings.keys.model_copy(update={"max_days": 30})
    monkeypatch.setattr(platform, "settings", platform.settings.model_copy(update={"keys": keys}))
    lina = api.person("lina")
    assert refusal(lina.post("/v1/users/me/keys", json={"name": "k"})) == (422, "wider_key")
    month = (datetime.now(UTC) + timedelta(days=29)).isoformat()
    assert lina.post("/v1/users/me/keys", json={"name": "k", "expires_at": month}).status_code == 201


def test_service_accounts_get_their_keys_from_administrators(api: Api, robot: httpx.Client) -> None:
    assert refusal(robot.post("/v1/users/me/keys", json={"name": "k"})) == (403, "forbidden")
    api.person("lina")
    refused = api.admin.post("/v1/api-keys", json={"user": "lina", "name": "k", "acts_for": True})
    assert refusal(refused) == (422, "not_a_service_account")


def test_what_kind_of_user_somebody_is_does_not_change(api: Api, robot: httpx.Client) -> None:
    assert api.admin.get("/v1/users/robot").json()["kind"] == "service"
    assert api.admin.patch("/v1/users/robot", json={"kind": "person"}).status_code == 422


def test_acting_for_somebody_is_having_its_rights_now(api: Api, robot: httpx.Client) -> None:
    lina = api.person("lina", groups=())
    api.person("李娜")
    space = api.space("hr", lina="reader")
    me = lina.get("/v1/users/me").json()
    for name in ("lina", me["id"]):
        shown = robot.get("/v1/users/me", headers={ON_BEHALF_OF: name}).json()
        assert (shown["id"], shown["groups"], shown["is_admin"]) == (me["id"], me["groups"], False)
        assert shown["acting"] == api.admin.get("/v1/users/robot").json()["id"]
    for name in (quote("李娜"), "李娜".encode()):
        assert robot.get("/v1/users/me", headers={ON_BEHALF_OF: name}).json()["name"] == "李娜"  # type: ignore[dict-item]
    headers = {ON_BEHALF_OF: "lina"}
    assert robot.get(f"/v1/spaces/{space}").status_code == 404
    assert robot.get(f"/v1/spaces/{space}", headers=headers).status_code == 200
    assert robot.get("/v1/spaces", headers=headers).json() == lina.get("/v1/spaces").json()
    api.admin.put(f"/v1/spaces/{space}/policy", json={"allow": [], "deny": []}).raise_for_status()
    assert robot.get(f"/v1/spaces/{space}", headers=headers).status_code == 404


def test_nobody_is_in_charge_by_acting_for_an_administrator(api: Api, robot: httpx.Client) -> None:
    api.admin.patch("/v1/users/robot", json={"is_admin": True, "is_auditor": True}).raise_for_status()
    api.space("hidden")
    api.admin.post("/v1/snapshots", json={"name": "n", "space": "hidden"}).raise_for_status()
    editor = api.person("lina")
    space = api.space("work", lina="editor")
    api.upload(editor, space)
    headers = {ON_BEHALF_OF: "admin"}
    assert robot.get("/v1/users/me", headers=headers).json()["is_admin"] is False
    assert robot.get("/v1/users", headers=headers).status_code == 403
    assert robot.get("/metrics", headers=headers).status_code == 403
    for path in ("/v1/spaces", "/v1/snapshots", "/v1/jobs", "/v1/documents"):
        assert robot.get(path, headers=headers).json()["items"] == [], path
    assert robot.get("/v1/ledger", headers=headers).json()["totals"]["received"] == 0
    search = robot.post("/v1/search", json={"query": "?", "spaces": ["hidden"]}, headers=headers)
    assert search.status_code == 404
    assert robot.get("/v1/users").status_code == 200  # it is one by itself


def test_whom_nobody_can_act_for_is_told_to_nobody(api: Api, robot: httpx.Client) -> None:
    api.person("gone")
    api.admin.patch("/v1/users/gone", json={"active": False}).raise_for_status()
    answers = []
    for name in ("gone", "nobody", "robot", "", "%00lina", b"\xff\xfe"):
        response = robot.get("/v1/users/me", headers={ON_BEHALF_OF: name})  # type: ignore[dict-item]
        body = response.json()
        body.pop("trace_id")
        answers.append((response.status_code, body))
    assert answers == [answers[0]] * len(answers)
    assert (answers[0][0], answers[0][1]["code"]) == (403, "cannot_act_for")


def test_the_header_is_never_ignored(api: Api, robot: httpx.Client) -> None:
    lina = api.person("lina")
    assert refusal(lina.get("/v1/users/me", headers={ON_BEHALF_OF: "lina"})) == (403, "cannot_act_for")
    plain = api.client(issue(api, user="robot")["key"])
    assert refusal(plain.get("/v1/users/me", headers={ON_BEHALF_OF: "lina"})) == (403, "cannot_act_for")
    twice = [(ON_BEHALF_OF, "lina"), (ON_BEHALF_OF, "admin"), ("Authorization", robot.headers["authorization"])]
    assert refusal(httpx.get(f"{api.url}/v1/users/me", headers=twice, trust_env=False)) == (403, "cannot_act_for")


def test_throttled_callers_wait_and_so_does_who_acts_for_them(api: Api, robot: httpx.Client) -> None:
    lina = api.person("lina")

    def throttle(name: str, until: datetime) -> None:
        with api.database.begin() as connection:
            connection.execute(sa.update(users).where(users.c.name == name).values(throttled_until=until))

    throttle("lina", datetime.now(UTC) + timedelta(seconds=90))
    for response in (
        lina.get("/v1/users/me"),
        lina.post("/v1/search", json={"query": "?"}),
        robot.get("/v1/users/me", headers={ON_BEHALF_OF: "lina"}),
    ):
        assert refusal(response) == (429, "throttled")
        assert 80 <= int(response.headers["retry-after"]) <= 90
    assert robot.get("/v1/users/me").status_code == 200
    throttle("lina", datetime.now(UTC) - timedelta(seconds=1))
    assert lina.get("/v1/users/me").status_code == 200
