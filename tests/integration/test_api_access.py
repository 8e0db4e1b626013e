"""`/v1/access` over HTTP: explanations and previews, for those who may ask."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api_server import Api
from tests.security.scene import Scene


@pytest.fixture
def scene(api: Api) -> Scene:
    return Scene.set_up(api)


def _explain(scene: Scene, role: str, document: str, by: str = "admin", **more: str) -> dict[str, object]:
    asked = {"user": scene.user_ids[role], "document": document, **more}
    answer = scene.clients[by].get("/v1/access/explain", params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_explanation_says_which_rule_decided(scene: Scene) -> None:
    document = scene.document()
    reader, outsider = _explain(scene, "reader", document), _explain(scene, "outsider", document)
    assert (reader["readable"], reader["rule"], reader["role"], reader["policy"]) == (
        True,
        "granted",
        "reader",
        "space",
    )
    assert [entry["effect"] for entry in reader["entries"]] == ["allow"]  # type: ignore[attr-defined]
    assert (outsider["readable"], outsider["rule"], outsider["entries"]) == (False, "not_named", [])
    assert scene.clients["editor"].delete(f"/v1/documents/{document}").status_code == 204
    assert _explain(scene, "reader", document)["rule"] == "document_deleted"


def test_a_grant_with_an_end_is_explained_at_a_later_day(scene: Scene) -> None:
    document = scene.document()
    until = datetime.now(UTC) + timedelta(days=2)
    policy = {
        "allow": [
            {"principal": f"user:{scene.user_ids['outsider']}", "role": "reader", "effective_to": until.isoformat()}
        ],
        "deny": [{"principal": f"user:{scene.user_ids['reader']}", "effective_from": until.isoformat()}],
        "extends_space": True,
    }
    shown = scene.clients["manager"].put(f"/v1/documents/{document}/policy", json=policy)
    assert shown.status_code == 200, shown.text
    assert shown.json()["extends_space"] is True
    later = (until + timedelta(hours=1)).isoformat()
    assert _explain(scene, "outsider", document)["readable"]
    assert not _explain(scene, "outsider", document, at=later)["readable"]
    assert _explain(scene, "reader", document)["policy"] == "document_and_space"
    assert _explain(scene, "reader", document)["readable"]
    assert _explain(scene, "reader", document, at=later)["rule"] == "denied"
    # Acts for real, too.
    assert scene.clients["outsider"].get(f"/v1/documents/{document}").status_code == 200
    assert scene.clients["manager"].delete(f"/v1/documents/{document}/policy").status_code == 200
    assert scene.clients["outsider"].get(f"/v1/documents/{document}").status_code == 404


def test_yesterdays_rights_are_explained_after_they_were_taken(scene: Scene) -> None:
    space = scene.space()
    document = scene.document(space)
    then = datetime.now(UTC)
    assert scene.clients["admin"].put(f"/v1/spaces/{space}/policy", json={}).status_code == 200
    assert _explain(scene, "reader", document)["rule"] == "not_named"
    assert _explain(scene, "reader", document, at=then.isoformat())["rule"] == "granted"


def test_unknown_people_and_documents_are_not_found(scene: Scene) -> None:
    admin = scene.clients["admin"]
    for user, document in (("nobody", scene.document()), (scene.user_ids["reader"], "nothing")):
        answer = admin.get("/v1/access/explain", params={"user": user, "document": document})
        assert answer.status_code == 404


def test_a_preview_changes_nothing_and_says_who_would_gain_and_lose(scene: Scene) -> None:
    space = scene.space()
    document = scene.document(space)
    policy = {"allow": [{"principal": f"user:{scene.user_ids['outsider']}", "role": "reader"}]}
    answer = scene.clients["admin"].post("/v1/access/preview", json={"space": space, "policy": policy})
    assert answer.status_code == 200, answer.text
    gains, loses = answer.json()["gains"], answer.json()["loses"]
    assert [(each["user_id"], each["document_ids"]) for each in gains["items"]] == [
        (scene.user_ids["outsider"], [document])
    ]
    assert {each["user_id"] for each in loses["items"]} == {
        scene.user_ids[role] for role in ("reader", "editor", "manager")
    }
    assert scene.clients["reader"].get(f"/v1/documents/{document}").status_code == 200
    assert scene.clients["outsider"].get(f"/v1/documents/{document}").status_code == 404


def test_a_space_has_nothing_to_extend(scene: Scene) -> None:
    answer = scene.clients["admin"].put(f"/v1/spaces/{scene.space()}/policy", json={"extends_space": True})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_extend")
