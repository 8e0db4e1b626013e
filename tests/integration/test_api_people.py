"""People, groups, keys: managed over HTTP, acting at once."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from kbcore.metadata import api_keys
from tests.api_server import Api

PROBLEM = "application/problem+json"


def test_a_user_is_added_read_changed_listed_and_removed(api: Api) -> None:
    made = api.admin.post("/v1/users", json={"name": "li.na", "display_name": "李娜", "clearance": "confidential"})
    assert made.status_code == 201
    user = made.json()
    assert (user["name"], user["display_name"], user["clearance"]) == ("li.na", "李娜", "confidential")
    assert api.admin.get("/v1/users/li.na").json() == api.admin.get(f"/v1/users/{user['id']}").json() == user

    changed = api.admin.patch("/v1/users/li.na", json={"display_name": "Li Na", "clearance": "public"}).json()
    assert changed == {**user, "display_name": "Li Na", "clearance": "public"}
    assert [item["name"] for item in api.admin.get("/v1/users").json()["items"]] == ["admin", "li.na"]

    assert api.admin.delete("/v1/users/li.na").status_code == 204
    assert api.admin.get("/v1/users/li.na").json()["code"] == "user_not_found"


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/users", {"name": "same"}), ("/v1/groups", {"name": "same"}), ("/v1/spaces", {"name": "同名"})],
)
def test_names_are_unique(api: Api, path: str, body: dict[str, str]) -> None:
    assert api.admin.post(path, json=body).status_code == 201
    again = api.admin.post(path, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    other = api.admin.post(path, json={"name": "other"}).json()
    renamed = api.admin.patch(f"{path}/{other['id']}", json=body)
    assert (renamed.status_code, renamed.json()["code"]) == (409, "name_taken")


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:b", "x" * 101, "../up", "018f3c1e-0000-7000-8000-000000000000", "nul\x00", "-dash"]
)
def test_names_that_would_confuse_are_refused(api: Api, name: str) -> None:
    refused = api.admin.post("/v1/users", json={"name": name})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
    assert refused.json()["errors"][0]["loc"] == ["body", "name"]


def test_the_last_administrator_stays(api: Api) -> None:
    for call in (
        lambda: api.admin.delete("/v1/users/admin"),
        lambda: api.admin.patch("/v1/users/admin", json={"active": False}),
        lambda: api.admin.patch("/v1/users/admin", json={"is_admin": False}),
    ):
        refused = call()
        assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")
    assert api.admin.get("/v1/users/me").json()["is_admin"] is True


def test_a_key_is_shown_once_and_works_until_it_is_revoked(api: Api) -> None:
    api.admin.post("/v1/users", json={"name": "app"}).raise_for_status()
    issued = api.admin.post("/v1/api-keys", json={"user": "app", "name": "crm"}).json()
    client = api.client(issued["key"])
    assert client.get("/v1/users/me").json()["name"] == "app"

    listed = api.admin.get("/v1/api-keys", params={"user": "app"}).json()["items"]
    assert [item["id"] for item in listed] == [issued["id"]]
    assert issued["key"] not in str(listed)
    assert listed[0]["last_used_at"] is not None

    assert api.admin.delete(f"/v1/api-keys/{issued['id']}").status_code == 204
    assert client.get("/v1/users/me").status_code == 401
    assert api.admin.get(f"/v1/api-keys/{issued['id']}").json()["revoked_at"] is not None


def test_every_bad_key_gets_the_same_answer(api: Api) -> None:
    api.admin.post("/v1/users", json={"name": "app"}).raise_for_status()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    expired = api.admin.post("/v1/api-keys", json={"user": "app", "name": "old", "expires_at": past}).json()["key"]
    good = api.admin.post("/v1/api-keys", json={"user": "app", "name": "new"}).json()["key"]
    flipped = good[:-1] + ("A" if good[-1] != "A" else "B")
    assert api.client(good).get("/v1/users/me").status_code == 200
    api.admin.patch("/v1/users/app", json={"active": False}).raise_for_status()

    answers = []
    unknown = f"zk_{'0' * 32}_{'A' * 43}"
    for token in (None, "nonsense", unknown, flipped, expired, good, good + "x", good.replace("zk_", "ZK_")):
        response = api.client(token).get("/v1/users/me")
        body = response.json()
        body.pop("trace_id")
        answers.append((response.status_code, body, response.headers["www-authenticate"]))
    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 401


def test_last_use_is_noted_at_most_once_a_minute(api: Api) -> None:
    key = api.admin.post("/v1/api-keys", json={"user": "admin", "name": "k"}).json()
    client = api.client(key["key"])
    noted = []
    for _ in range(3):
        client.get("/v1/users/me").raise_for_status()
        with api.database.begin() as connection:
            noted.append(api_keys.get_key(connection, key["id"]).last_used_at)
    assert noted[0] is not None
    assert noted == [noted[0]] * 3


def test_groups_nest_and_refuse_to_contain_themselves(api: Api) -> None:
    api.person("li.na")
    for name in ("staff", "hr", "hr-cn"):
        api.admin.post("/v1/groups", json={"name": name}).raise_for_status()

    def add(group: str, *members: str) -> httpx.Response:
        return api.admin.post(f"/v1/groups/{group}/members", json={"members": list(members)})

    assert add("hr", "group:hr-cn").status_code == 200
    assert add("staff", "group:hr").status_code == 200
    assert add("hr-cn", "user:li.na", "user:li.na").json()["items"][0]["member"] == "user:li.na"
    assert api.person("li.na").get("/v1/users/me").json()["groups"] == ["hr", "hr-cn", "staff"]

    for group, member in (("hr-cn", "group:staff"), ("hr-cn", "group:hr-cn"), ("hr", "group:staff")):
        refused = add(group, member)
        assert (refused.status_code, refused.json()["code"]) == (422, "group_cycle")

    assert api.admin.delete("/v1/groups/hr-cn/members/user:li.na").status_code == 204
    assert api.person("li.na").get("/v1/users/me").json()["groups"] == []
    gone = api.admin.delete("/v1/groups/hr-cn/members/user:li.na")
    assert (gone.status_code, gone.json()["code"]) == (404, "member_not_found")


def test_a_group_that_a_policy_names_cannot_be_removed(api: Api) -> None:
    api.admin.post("/v1/groups", json={"name": "contractors"}).raise_for_status()
    api.space("public", everyone="reader", deny=("group:contractors",))
    refused = api.admin.delete("/v1/groups/contractors")
    assert (refused.status_code, refused.json()["code"]) == (409, "group_in_use")
    api.admin.put("/v1/spaces/public/policy", json={}).raise_for_status()
    assert api.admin.delete("/v1/groups/contractors").status_code == 204


@pytest.mark.parametrize("members", [["user:nobody"], ["group:none"], ["everyone"], ["li.na"], ["user:"]])
def test_unknown_members_are_named(api: Api, members: list[str]) -> None:
    api.admin.post("/v1/groups", json={"name": "hr"}).raise_for_status()
    refused = api.admin.post("/v1/groups/hr/members", json={"members": members})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_principal")
    assert members[0] in refused.json()["detail"]


def test_lists_come_in_pages_without_gaps_or_repeats(api: Api) -> None:
    for number in range(7):
        api.admin.post("/v1/groups", json={"name": f"g{number}"}).raise_for_status()
    names: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = api.admin.get("/v1/groups", params=params).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"g{number}" for number in range(7)]
    bad = api.admin.get("/v1/groups", params={"cursor": "§"})
    assert (bad.status_code, bad.json()["code"], bad.headers["content-type"]) == (400, "invalid_cursor", PROBLEM)
