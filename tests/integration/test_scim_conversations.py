"""SCIM as Entra ID and as Okta speak it, request by request, as their public documents show."""

import pytest

from tests.api_server import Api
from tests.integration.provisioning import GROUP, LIST, USER, Directory, refused


@pytest.fixture
def directory(api: Api) -> Directory:
    return Directory(api)


def test_entra_id(directory: Directory) -> None:
    # It looks, makes, looks again.
    empty = directory.call("GET", "/Users", filter='userName eq "fang.wang@corp.example"')
    assert (empty.status_code, empty.json()["totalResults"], empty.json()["schemas"]) == (200, 0, [LIST])
    made = directory.call(
        "POST",
        "/Users",
        {
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "fang.wang@corp.example",
            "active": True,
            "displayName": "王芳",
            "emails": [{"primary": True, "type": "work", "value": "fang.wang@corp.example"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "王芳", "familyName": "王", "givenName": "芳"},
            "roles": [],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "法务"},
        },
    )
    assert made.status_code == 201
    user = made.json()
    assert made.headers["location"] == user["meta"]["location"]
    assert directory.api.admin.get(made.headers["location"]).json() == user
    assert (user["userName"], user["displayName"], user["active"]) == ("fang.wang@corp.example", "王芳", True)
    assert directory.found("Users", 'userName eq "Fang.Wang@corp.example"') == [user["id"]]
    assert directory.found("Users", 'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"') == [user["id"]]

    # Changes: several operations, its words in capitals, paths with filters, extensions.
    extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
    changed = directory.patch(
        f"/Users/{user['id']}",
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "fang@corp.example"},
        {"op": "Replace", "path": "name.familyName", "value": "汪"},
        {"op": "Add", "path": extension, "value": "财务"},
        {"op": "Replace", "value": {"displayName": "汪芳", "name.givenName": "芳", f"{USER}:userName": "fang.wang"}},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"},
    )
    assert changed.status_code == 200
    shown = changed.json()
    assert (shown["displayName"], shown["userName"]) == ("汪芳", "fang.wang")
    assert shown["emails"] == [{"value": "fang@corp.example", "type": "work", "primary": True}]

    # Groups, read without their members.
    assert directory.found("Groups", 'displayName eq "法务"', excludedAttributes="members") == []
    group = directory.call(
        "POST",
        "/Groups",
        {
            "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159",
            "displayName": "法务",
            "meta": {"resourceType": "Group"},
        },
    ).json()
    without = directory.call("GET", f"/Groups/{group['id']}", excludedAttributes="members").json()
    assert "members" not in without
    member = {"$ref": None, "value": user["id"]}
    assert (
        directory.patch(f"/Groups/{group['id']}", {"op": "Add", "path": "members", "value": [member]}).status_code
        == 204
    )
    assert directory.members(group["id"]) == [user["id"]]
    sought = f'id eq "{group["id"]}" and members eq "{user["id"]}"'
    assert directory.found("Groups", sought, excludedAttributes="members") == [group["id"]]
    directory.patch(f"/Groups/{group['id']}", {"op": "Remove", "path": "members", "value": [member]})
    assert directory.members(group["id"]) == []
    directory.patch(f"/Groups/{group['id']}", {"op": "Replace", "path": "displayName", "value": "法务部"})
    assert directory.found("Groups", 'displayName eq "法务部"') == [group["id"]]

    # Somebody leaves: first disabled, with a string in place of false, weeks later deleted.
    off = directory.patch(f"/Users/{user['id']}", {"op": "Replace", "path": "active", "value": "False"})
    assert off.json()["active"] is False
    assert directory.call("DELETE", f"/Users/{user['id']}").status_code == 204
    refused(directory.call("GET", f"/Users/{user['id']}"), 404)
    assert directory.found("Users", 'userName eq "fang.wang"') == []
    assert directory.call("DELETE", f"/Groups/{group['id']}").status_code == 204
    refused(directory.call("GET", f"/Groups/{group['id']}"), 404)


def test_okta(directory: Directory) -> None:
    assert directory.found("Users", 'userName eq "test.user@okta.local"', startIndex="1", count="100") == []
    body = {
        "schemas": [USER],
        "userName": "test.user@okta.local",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    user = directory.call("POST", "/Users", body).json()
    assert "1mz050nq" not in str(user)
    refused(directory.call("POST", "/Users", body), 409, "uniqueness")
    assert directory.call("GET", f"/Users/{user['id']}").json() == user

    # It replaces whole users; and deactivates without a path.
    renamed = {**body, "id": user["id"], "name": {"givenName": "Another", "familyName": "User"}, "displayName": None}
    assert directory.call("PUT", f"/Users/{user['id']}", renamed).json()["displayName"] == "Another User"
    off = directory.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}})
    assert off.json()["active"] is False
    on = directory.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    assert on.json()["active"] is True

    other = directory.user("other@okta.local")
    group = directory.call(
        "POST",
        "/Groups",
        {
            "schemas": [GROUP],
            "displayName": "Test SCIMv2",
            "members": [{"value": user["id"], "display": "test.user@okta.local"}],
        },
    ).json()
    assert [each["value"] for each in group["members"]] == [user["id"]]
    answer = directory.patch(
        f"/Groups/{group['id']}", {"op": "replace", "value": {"id": group["id"], "displayName": "Test SCIMv2 renamed"}}
    )
    assert answer.status_code == 204
    directory.patch(
        f"/Groups/{group['id']}",
        {"op": "remove", "path": f'members[value eq "{user["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": other, "display": "other@okta.local"}]},
    )
    assert directory.members(group["id"]) == [other]
    directory.patch(f"/Groups/{group['id']}", {"op": "replace", "path": "members", "value": [{"value": user["id"]}]})
    assert directory.members(group["id"]) == [user["id"]]
    assert directory.call("GET", "/Groups", startIndex="1", count="100").json()["totalResults"] == 1
    assert directory.call("DELETE", f"/Groups/{group['id']}").status_code == 204
