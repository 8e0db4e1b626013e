"""Spaces and policies over HTTP: who is let in and shut out, from the next request on."""

import pytest

from tests.api_server import Api


def test_a_new_space_lets_in_nobody_but_its_creator(api: Api) -> None:
    made = api.admin.post("/v1/spaces", json={"name": "人事", "title": "人事部"})
    assert made.status_code == 201
    assert made.json()["role"] == "manager"
    policy = api.admin.get("/v1/spaces/人事/policy").json()
    assert policy["allow"] == [{"principal": "user:admin", "role": "manager"}]
    assert api.person("lina").get("/v1/spaces").json()["items"] == []
    assert api.person("lina").get("/v1/spaces/人事").json()["code"] == "space_not_found"


def test_a_policy_change_counts_for_the_next_request(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", lina="reader")
    document = api.upload(api.admin, "hr")["document_id"]
    assert lina.get(f"/v1/documents/{document}").status_code == 200
    api.admin.put("/v1/spaces/hr/policy", json={"allow": [], "deny": []}).raise_for_status()
    assert lina.get(f"/v1/documents/{document}").status_code == 404


def test_leaving_a_group_counts_for_the_next_request(api: Api) -> None:
    api.admin.post("/v1/groups", json={"name": "staff"}).raise_for_status()
    api.admin.post("/v1/groups", json={"name": "hr"}).raise_for_status()
    api.admin.post("/v1/groups/staff/members", json={"members": ["group:hr"]}).raise_for_status()
    lina = api.person("lina", groups=("hr",))
    api.space("docs")
    allow = {"allow": [{"principal": "group:staff", "role": "reader"}]}
    api.admin.put("/v1/spaces/docs/policy", json=allow).raise_for_status()
    assert [space["name"] for space in lina.get("/v1/spaces").json()["items"]] == ["docs"]
    api.admin.delete("/v1/groups/hr/members/user:lina").raise_for_status()
    assert lina.get("/v1/spaces").json()["items"] == []


def test_deny_beats_allow_for_everyone(api: Api) -> None:
    lina, wang = api.person("lina"), api.person("wang")
    api.space("docs", everyone="reader", deny=("user:lina",))
    assert lina.get("/v1/spaces/docs").status_code == 404
    assert wang.get("/v1/spaces/docs").json()["role"] == "reader"


def test_a_document_may_have_its_own_policy_and_inherit_again(api: Api) -> None:
    lina, wang = api.person("lina"), api.person("wang")
    api.space("hr", lina="manager")
    path = f"/v1/documents/{api.upload(lina, 'hr')['document_id']}"
    assert lina.get(f"{path}/policy").json()["inherited"] is True
    assert wang.get(path).status_code == 404

    body = {"allow": [{"principal": "user:wang", "role": "reader"}, {"principal": "user:lina", "role": "manager"}]}
    changed = lina.put(f"{path}/policy", json=body).json()
    assert changed["inherited"] is False
    assert lina.get(f"/v1/jobs/{changed['job_id']}").json()["kind"] == "restamp"
    assert lina.put(f"{path}/policy", json=body).json()["job_id"] is None
    assert wang.get(path).json()["own_policy"] is True

    inherited = lina.delete(f"{path}/policy").json()
    assert (inherited["inherited"], inherited["allow"]) == (True, [{"principal": "user:lina", "role": "manager"}])
    assert wang.get(path).status_code == 404


def test_a_manager_may_set_a_policy_by_patch_and_an_editor_may_not(api: Api) -> None:
    lina, wang = api.person("lina"), api.person("wang")
    api.space("hr", lina="editor", wang="manager")
    path = f"/v1/documents/{api.upload(lina, 'hr')['document_id']}"
    body = {"title": "renamed", "policy": {"allow": [{"principal": "user:wang", "role": "manager"}]}}
    refused = lina.patch(path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert lina.get(path).json()["title"] != "renamed"
    assert wang.patch(path, json=body).json()["own_policy"] is True
    assert lina.get(path).status_code == 404
    assert wang.patch(path, json={"policy": None}).json()["own_policy"] is False


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"allow": [{"principal": "user:nobody", "role": "reader"}]}, "unknown_principal"),
        ({"allow": [{"principal": "lina", "role": "reader"}]}, "unknown_principal"),
        ({"allow": [{"principal": "user:lina\x00", "role": "reader"}]}, "validation_failed"),
        ({"deny": ["group:none"]}, "unknown_principal"),
        ({"allow": [{"principal": "everyone", "role": "owner"}]}, "validation_failed"),
        ({"allow": [{"principal": "everyone", "role": "reader"}], "deny": ["everyone"]}, "principal_repeated"),
        ({"allowed": []}, "validation_failed"),
    ],
)
def test_a_policy_that_means_nothing_is_refused_and_changes_nothing(api: Api, policy: object, code: str) -> None:
    api.person("lina")
    api.space("hr", lina="reader")
    refused = api.admin.put("/v1/spaces/hr/policy", json=policy)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert api.person("lina").get("/v1/spaces/hr").json()["role"] == "reader"


def test_the_same_person_by_name_and_by_id_is_one_person(api: Api) -> None:
    api.person("lina")
    api.space("hr")
    user_id = api.admin.get("/v1/users/lina").json()["id"]
    twice = {
        "allow": [{"principal": "user:lina", "role": "reader"}, {"principal": f"user:{user_id}", "role": "manager"}]
    }
    assert api.admin.put("/v1/spaces/hr/policy", json=twice).json()["code"] == "principal_repeated"
    by_id = {"allow": [{"principal": f"user:{user_id}", "role": "manager"}]}
    shown = api.admin.put("/v1/spaces/hr/policy", json=by_id).json()
    assert shown["allow"] == [{"principal": "user:lina", "role": "manager"}]


def test_an_empty_space_can_be_removed(api: Api) -> None:
    api.space("old", everyone="reader")
    assert api.admin.delete("/v1/spaces/old").status_code == 204
    assert api.admin.get("/v1/spaces").json()["items"] == []
