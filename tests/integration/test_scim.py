"""SCIM's rules here: what it may do, what acts at once, what stays, and how it says no."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from kbcore.domain.principal import MemberSource
from kbcore.metadata import groups, users
from kbcore.metadata.tables import api_keys
from services.auth.api_keys import issue_key
from tests.api_server import Api
from tests.integration.provisioning import Directory, refused


@pytest.fixture
def directory(api: Api) -> Directory:
    return Directory(api)


def key_of(api: Api, user_id: str) -> str:
    with api.database.begin() as connection:
        return issue_key(connection, user_id=user_id, name="k").token


def test_only_administrators_may_and_errors_have_scims_shape(api: Api) -> None:
    refused(api.client().get("/scim/v2/Users"), 401)
    refused(api.person("li.na").get("/scim/v2/Users"), 403)
    refused(api.person("li.na").post("/scim/v2/Users", json={"userName": "x"}), 403)
    refused(api.admin.get("/scim/v2/Nothing"), 404)
    refused(api.admin.put("/scim/v2/Users", json={}), 405)
    refused(
        api.admin.post("/scim/v2/Users", content=b"{", headers={"Content-Type": "application/scim+json"}),
        400,
        "invalidSyntax",
    )
    refused(api.admin.post("/scim/v2/Users", content=b"x", headers={"Content-Type": "text/plain"}), 415)
    refused(api.admin.post("/scim/v2/Users", json=[1]), 400, "invalidValue")


def test_a_new_person_has_no_rights_but_the_usual_clearance(directory: Directory) -> None:
    user_id = directory.user("li.na", isAdmin=True, is_admin=True, roles=[{"value": "admin"}], groups=[{"value": "x"}])
    shown = directory.api.admin.get(f"/v1/users/{user_id}").json()
    assert (shown["is_admin"], shown["clearance"], shown["active"]) == (False, "internal", True)
    (made,) = [detail for detail in directory.audited("user.changed") if detail["user"] == user_id]
    assert made["before"] is None
    assert made["after"]["is_admin"] is False


def test_inactive_acts_with_the_next_request_and_back(directory: Directory) -> None:
    user_id = directory.user("li.na")
    client = directory.api.client(key_of(directory.api, user_id))
    assert client.get("/v1/users/me").status_code == 200
    directory.patch(f"/Users/{user_id}", {"op": "replace", "path": "active", "value": False})
    assert client.get("/v1/users/me").status_code == 401
    directory.patch(f"/Users/{user_id}", {"op": "replace", "path": "active", "value": "True"})
    assert client.get("/v1/users/me").status_code == 200


def test_membership_acts_with_the_next_request_also_through_nested_groups(directory: Directory) -> None:
    api = directory.api
    user_id = directory.user("li.na")
    client = api.client(key_of(api, user_id))
    inner = directory.group("inner", user_id)
    outer = directory.group("outer")
    api.admin.post("/v1/spaces", json={"name": "hr"}).raise_for_status()
    policy = {"allow": [{"principal": "group:outer", "role": "reader"}]}
    api.admin.put("/v1/spaces/hr/policy", json=policy).raise_for_status()
    assert client.get("/v1/spaces/hr").status_code == 404
    directory.patch(f"/Groups/{outer}", {"op": "add", "path": "members", "value": [{"value": inner, "type": "Group"}]})
    assert client.get("/v1/spaces/hr").status_code == 200
    cycle = directory.patch(f"/Groups/{inner}", {"op": "add", "path": "members", "value": [{"value": outer}]})
    refused(cycle, 400, "invalidValue")
    directory.patch(f"/Groups/{inner}", {"op": "remove", "path": "members"})
    assert client.get("/v1/spaces/hr").status_code == 404
    in_use = refused(directory.call("DELETE", f"/Groups/{outer}"), 409)
    assert "take it out of them" in in_use
    changes = directory.audited("membership.changed")
    assert [(change["group"], change["added"], change["removed"]) for change in changes] == [
        (inner, [f"user:{user_id}"], []),
        (outer, [f"group:{inner}"], []),
        (inner, [], [f"user:{user_id}"]),
    ]


def test_a_removed_person_is_gone_but_what_it_did_is_not(directory: Directory) -> None:
    api = directory.api
    user_id = directory.user("li.na", externalId="e-1")
    token = key_of(api, user_id)
    group = directory.group("hr", user_id)
    space = api.space("docs", **{"li.na": "editor"})
    document = api.upload(api.client(token), space)["document_id"]
    with api.database.begin() as connection:
        groups.add_members(connection, groups.create_group(connection, name="m", title="m").id, [f"user:{user_id}"])

    assert directory.call("DELETE", f"/Users/{user_id}").status_code == 204
    assert api.client(token).get("/v1/users/me").status_code == 401
    for method in ("GET", "DELETE"):
        refused(directory.call(method, f"/Users/{user_id}"), 404)
    refused(directory.patch(f"/Users/{user_id}", {"op": "replace", "path": "active", "value": True}), 404)
    assert directory.members(group) == []
    refused(
        directory.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": user_id}]}),
        400,
        "invalidValue",
    )
    assert api.admin.get(f"/v1/spaces/{space}/policy").json()["allow"] == []
    with api.database.begin() as connection:
        assert connection.execute(sa.select(api_keys.c.revoked_at).where(api_keys.c.user_id == user_id)).scalar_one()

    # The document stays, attributed to the old id; a new person of the same name is another one, without its rights.
    api.admin.put(f"/v1/spaces/{space}/policy", json={"allow": [{"principal": "everyone", "role": "reader"}]})
    again = directory.user("li.na", externalId="e-1")
    assert again != user_id
    new = api.client(key_of(api, again))
    assert new.get(f"/v1/documents/{document}").status_code == 200
    assert new.get("/v1/users/me").json()["groups"] == []
    assert [each["user"] for each in directory.audited("user.departed")] == [user_id]
    ended = [change for change in directory.audited("membership.changed") if change["removed"]]
    assert [change["removed"] for change in ended] == [[f"user:{user_id}"]] * 2


def test_the_last_administrator_stays_and_nobody_links_one(directory: Directory) -> None:
    admin = directory.api.admin.get("/v1/users/me").json()["id"]
    for answer in (
        directory.patch(f"/Users/{admin}", {"op": "replace", "path": "active", "value": False}),
        directory.call("DELETE", f"/Users/{admin}"),
    ):
        assert "administrator" in refused(answer, 409)
    link = {"op": "add", "path": "externalId", "value": "mine"}
    assert "administrator" in refused(directory.patch(f"/Users/{admin}", link), 403)
    refused(directory.call("PUT", f"/Users/{admin}", {"userName": "admin", "externalId": "mine"}), 403)
    assert "externalId" not in directory.call("GET", f"/Users/{admin}").json()
    # Its name and the rest may be kept in step.
    assert directory.patch(f"/Users/{admin}", {"op": "replace", "path": "displayName", "value": "A"}).status_code == 200
    assert directory.api.admin.get("/v1/users/me").json()["is_admin"] is True


def test_service_accounts_are_none_of_a_directorys_business(directory: Directory) -> None:
    robot = directory.user("robot")
    with directory.api.database.begin() as connection:
        users.update_user(connection, robot, {"kind": "service"})
    refused(directory.call("GET", f"/Users/{robot}"), 404)
    assert directory.found("Users", 'userName eq "robot"') == []
    refused(directory.call("POST", "/Users", {"userName": "Robot"}), 409, "uniqueness")
    refused(directory.call("DELETE", f"/Users/{robot}"), 404)


def test_members_of_others_stay_and_a_tokens_becomes_the_directorys(directory: Directory) -> None:
    manual, token, own = (directory.user(name) for name in ("manual", "token", "own"))
    group = directory.group("g", own)
    with directory.api.database.begin() as connection:
        groups.add_members(connection, group, [f"user:{manual}"])
        groups.add_members(connection, group, [f"user:{token}"], source=MemberSource.OIDC)
    assert set(directory.members(group)) == {manual, token, own}
    directory.call("PUT", f"/Groups/{group}", {"displayName": "g", "members": []})
    assert directory.sources(group) == {manual: "manual", token: "oidc"}
    everybody = [{"value": each} for each in (manual, token, own)]
    directory.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": everybody})
    assert directory.sources(group) == {manual: "manual", token: "scim", own: "scim"}
    directory.patch(f"/Groups/{group}", {"op": "remove", "path": "members"})
    assert directory.sources(group) == {manual: "manual"}
    directory.call("PUT", f"/Groups/{group}", {"displayName": "renamed"})  # no word about members: they stay
    assert directory.members(group) == [manual]


def test_what_put_leaves_out(directory: Directory) -> None:
    user_id = directory.user("li.na", externalId="e", active=False, emails=[{"value": "a@b"}], displayName="Li Na")
    shown = directory.call("PUT", f"/Users/{user_id}", {"userName": "li.na"}).json()
    assert shown["active"] is False, "leaving it out lets nobody in again"
    assert shown["externalId"] == "e"
    assert shown["displayName"] == "li.na"
    assert "emails" not in shown


def test_pages_count_from_one(directory: Directory) -> None:
    made = [directory.user(f"u{number}") for number in range(5)]
    everyone = [each["id"] for each in directory.call("GET", "/Users").json()["Resources"]]
    assert everyone[1:] == made  # the administrator came first

    def page(**query: str) -> tuple[int, int, int, list[str]]:
        body = directory.call("GET", "/Users", **query).json()
        ids = [each["id"] for each in body["Resources"]]
        return body["totalResults"], body["startIndex"], body["itemsPerPage"], ids

    assert page(startIndex="2", count="2") == (6, 2, 2, made[:2])
    assert page(startIndex="6", count="2") == (6, 6, 1, made[4:])
    assert page(startIndex="7") == (6, 7, 0, [])
    assert page(startIndex="0", count="1") == page(startIndex="-5", count="1") == (6, 1, 1, everyone[:1])
    assert page(count="0") == page(count="-1") == (6, 1, 0, [])
    assert page(count="100000")[2] == 6
    refused(directory.call("GET", "/Users", startIndex="x"), 400, "invalidValue")
    refused(directory.call("GET", "/Users", startIndex="9" * 30), 400, "invalidValue")


def test_filters(directory: Directory) -> None:
    one = directory.user("li.na", externalId="E-1", displayName="Li Na", emails=[{"value": "li@x.example"}])
    two = directory.user("wang.fang", externalId="e-1", active=False)
    quoted = 'a "quoted" \\ name'
    group = directory.group(quoted, one, externalId="g-1")
    found = directory.found
    assert found("Users", 'userName eq "LI.NA"') == found("Users", 'USERNAME EQ "li.na"') == [one]
    assert found("Users", 'urn:ietf:params:scim:schemas:core:2.0:User:userName eq "li.na"') == [one]
    assert found("Users", 'externalId eq "E-1"') == [one], "an id has case"
    assert found("Users", 'displayName eq "li na" and externalId eq "E-1"') == [one]
    assert found("Users", 'displayName eq "li na" and externalId eq "e-1"') == []
    assert (
        found("Users", 'emails.value eq "LI@x.example"') == found("Users", 'emails[value eq "li@x.example"]') == [one]
    )
    assert found("Users", "active eq false") == [two]
    assert found("Users", f'id eq "{two}"') == [two]
    assert found("Groups", f"displayName eq {json.dumps(quoted)}") == [group]
    for sought in (f'members.value eq "{one}"', f'members[value eq "{one}"]', f'members eq "{one}"'):
        assert found("Groups", f'{sought} and externalId eq "g-1"') == [group]
    assert found("Groups", f'members.value eq "{two}"') == []


@pytest.mark.parametrize(
    "sought",
    [
        "userName", "userName eq", 'eq "x"', 'userName ne "x"', 'userName sw "x"', 'userName eq "x" or userName eq "y"',
        'not (userName eq "x")', '(userName eq "x")', "userName eq x", "userName eq 'x'", 'userName eq "x',
        'userName eq "x" and',
        'userName eq "x" userName eq "y"', 'userName eq "\\q"', 'password eq "x"', 'clearance eq "3"',
        'is_admin eq "true"',
        'users.name eq "x"', 'emails[value eq "x"', 'emails[]', 'emails[[value eq "x"]]', ']', '"userName" eq "x"',
        'userName eq "x"; DROP TABLE users', 'userName eq "x" -- ', 'userName pr', "' OR '1'='1", "x" * 3000,
        " and ".join(['userName eq "x"'] * 11), 'userName eq 1', 'userName eq null', "\x00",
    ],
)  # fmt: skip
def test_filters_that_are_none(directory: Directory, sought: str) -> None:
    refused(directory.call("GET", "/Users", filter=sought), 400, "invalidFilter")


@pytest.mark.parametrize(
    "value", ["x' OR '1'='1", "%", "_", "li%", "\\", "x'; DROP TABLE users; --", "li.na\n", "*", "${7*7}", "#"]
)
def test_values_are_only_values(directory: Directory, value: str) -> None:
    directory.user("li.na")
    for attribute in ("userName", "externalId", "displayName", "emails.value", "id"):
        assert directory.found("Users", f"{attribute} eq {json.dumps(value)}") == []
    assert directory.found("Groups", f"members.value eq {json.dumps(value)}") == []
    assert directory.found("Users", 'userName eq "li.na"')


def test_a_nul_is_refused_and_not_a_defect(directory: Directory) -> None:
    refused(directory.call("GET", "/Users", filter='userName eq "a\\u0000"'), 400, "invalidValue")
    refused(directory.call("POST", "/Users", {"userName": "a\x00"}), 400, "invalidValue")
    refused(directory.call("POST", "/Users", {"userName": "a", "externalId": "\x00"}), 400, "invalidValue")
    refused(directory.call("GET", "/Users/%00"), 400, "invalidValue")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "invalidValue"),
        ({"Operations": []}, "invalidValue"),
        ({"Operations": "x"}, "invalidValue"),
        ({"Operations": [1]}, "invalidValue"),
        ({"Operations": [{"op": "move", "path": "active", "value": True}]}, "invalidValue"),
        ({"Operations": [{"path": "active", "value": True}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "value": 1}]}, "invalidPath"),
        ({"Operations": [{"op": "remove"}]}, "invalidPath"),
        ({"Operations": [{"op": "replace", "path": "a b", "value": 1}]}, "invalidPath"),
        ({"Operations": [{"op": "replace", "path": 7, "value": 1}]}, "invalidPath"),
        ({"Operations": [{"op": "replace", "path": "emails[type", "value": 1}]}, "invalidPath"),
        ({"Operations": [{"op": "replace", "path": 'emails[type ne "x"].value', "value": "a"}]}, "invalidFilter"),
        ({"Operations": [{"op": "replace", "path": "active", "value": "maybe"}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "path": "active", "value": None}]}, "invalidValue"),
        ({"Operations": [{"op": "remove", "path": "active"}]}, "invalidValue"),
        ({"Operations": [{"op": "remove", "path": "userName"}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "path": "userName", "value": "a b"}]}, "invalidValue"),
        (
            {"Operations": [{"op": "replace", "path": "userName", "value": "0190163d-8694-739b-aea5-966c26f8ad90"}]},
            "invalidValue",
        ),
        ({"Operations": [{"op": "replace", "path": "userName", "value": {"a": 1}}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "path": "displayName", "value": "a\nb"}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "path": "externalId", "value": "x" * 256}]}, "invalidValue"),
        ({"Operations": [{"op": "replace", "path": "emails", "value": [1]}]}, "invalidValue"),
    ],
)
def test_patches_that_are_none_change_nothing(directory: Directory, body: object, kind: str) -> None:
    user_id = directory.user("li.na", displayName="Li Na")
    before = directory.call("GET", f"/Users/{user_id}").json()
    if isinstance(body, dict) and isinstance(body.get("Operations"), list) and body["Operations"]:
        body["Operations"].insert(0, {"op": "replace", "path": "displayName", "value": "changed"})
    refused(directory.call("PATCH", f"/Users/{user_id}", body), 400, kind)
    assert directory.call("GET", f"/Users/{user_id}").json() == before


@pytest.mark.parametrize("members", [["nobody"], [{"value": 7}], [{}], [7], "x", [{"value": "everyone"}]])
def test_members_that_are_none(directory: Directory, members: object) -> None:
    group = directory.group("g")
    answer = directory.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": members})
    refused(answer, 400, "invalidValue")
    assert directory.members(group) == []


def test_names_that_are_taken(directory: Directory) -> None:
    one, two = directory.user("one", externalId="e-1"), directory.user("two")
    group, other = directory.group("Team A", externalId="g-1"), directory.group("b")
    taken: list[Callable[[], object]] = [
        lambda: directory.patch(f"/Users/{two}", {"op": "replace", "path": "userName", "value": "ONE"}),
        lambda: directory.patch(f"/Users/{two}", {"op": "replace", "path": "externalId", "value": "e-1"}),
        lambda: directory.call("POST", "/Groups", {"displayName": "team a"}),
        lambda: directory.call("POST", "/Groups", {"displayName": "new", "externalId": "g-1"}),
        lambda: directory.call("PUT", f"/Groups/{other}", {"displayName": "TEAM A"}),
    ]
    for call in taken:
        refused(call(), 409, "uniqueness")  # type: ignore[arg-type]
    assert directory.patch(f"/Users/{one}", {"op": "replace", "path": "userName", "value": "One"}).status_code == 200
    assert directory.api.admin.get(f"/v1/groups/{group}").json()["name"] == "Team-A"


def test_a_repeated_request_is_answered_from_memory(directory: Directory) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = directory.api.admin.post("/scim/v2/Users", json={"userName": "li.na"}, headers=headers)
    again = directory.api.admin.post("/scim/v2/Users", json={"userName": "li.na"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["location"] == first.headers["location"]


def test_many_members_at_once(directory: Directory) -> None:
    with directory.api.database.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO users (id, name, display_name, clearance) "
                "SELECT 'u-' || n, 'user' || n, 'x', 1 FROM generate_series(1, 12000) n"
            )
        )
    group = directory.group("all", *(f"u-{number}" for number in range(1, 12001)))
    assert len(directory.sources(group)) == 12_000
    directory.call("PUT", f"/Groups/{group}", {"displayName": "all", "members": [{"value": "u-1"}]})
    assert directory.members(group) == ["u-1"]


def test_what_the_service_says_about_itself(directory: Directory) -> None:
    config = directory.call("GET", "/ServiceProviderConfig").json()
    assert config["patch"]["supported"] is True
    assert config["bulk"]["supported"] is config["etag"]["supported"] is False
    kinds = directory.call("GET", "/ResourceTypes").json()
    assert [each["endpoint"] for each in kinds["Resources"]] == ["/Users", "/Groups"]
    schemas = directory.call("GET", "/Schemas").json()
    for each in (*kinds["Resources"], *schemas["Resources"], config):
        assert directory.api.admin.get(each["meta"]["location"]).json() == each
    refused(directory.call("GET", "/Schemas/urn:x"), 404)


def test_attributes_of_choice(directory: Directory) -> None:
    user_id = directory.user("li.na", externalId="e")
    shown = directory.call(
        "GET", f"/Users/{user_id}", attributes="userName,urn:ietf:params:scim:schemas:core:2.0:User:name.formatted"
    )
    assert set(shown.json()) == {"schemas", "id", "userName", "name"}
    without = directory.call("GET", f"/Users/{user_id}", excludedAttributes="userName,id,emails")
    assert "userName" not in without.json()
    assert without.json()["id"] == user_id
