"""Every route with keys that may do nearly nothing or nearly everything, and in somebody else's name."""

import pytest

from kbcore.domain.principal import Scope
from services.api.rights import RIGHTS, Who
from tests.security.scene import ROLES, Scene
from tests.security.test_routes_roles import ROWS, Row

EVERYTHING = frozenset(Scope)
SCOPED = [row for row in ROWS if RIGHTS[row.route].scope is not None]
OWNED = [row for row in ROWS if RIGHTS[row.route].who is not Who.PUBLIC]


@pytest.mark.parametrize("row", SCOPED, ids=lambda row: row.route)
def test_a_key_needs_exactly_the_scope_that_the_table_says(scene: Scene, row: Row) -> None:
    scope = RIGHTS[row.route].scope
    assert scope is not None
    refused = row.call(scene, "admin", scene.client_with("admin", EVERYTHING - {scope}))
    assert refused.status_code == 403
    foreign = row.route == "POST /retrieval" or "/scim/v2/" in row.route  # errors in somebody else's shape
    assert "scope_missing" in refused.text or foreign
    assert scope in refused.text
    enough = row.call(scene, "admin", scene.client_with("admin", frozenset({scope})))
    assert str(enough.status_code) == row.answers.split()[ROLES.index("admin")]


@pytest.mark.parametrize("row", OWNED, ids=lambda row: row.route)
def test_whoever_acts_for_somebody_gets_what_that_person_would_get(scene: Scene, row: Row) -> None:
    """For an administrator: what somebody without a role gets. The service account is an administrator itself."""
    for role, like in (("reader", "reader"), ("admin", "outsider")):
        answered = row.call(scene, role, scene.acting_for(role)).status_code
        itself = RIGHTS[row.route].who is Who.ITSELF
        assert str(answered) == ("403" if itself else row.answers.split()[ROLES.index(like)]), role


def test_a_key_without_any_scope_learns_who_it_is_and_no_more(scene: Scene) -> None:
    client = scene.client_with("admin", frozenset())
    assert client.get("/v1/users/me").json()["scopes"] == []
    assert client.get("/v1/documents").status_code == 403
    assert client.get("/healthz").status_code == 200


def test_the_scope_metrics_opens_the_metrics_only_if_it_is_named(scene: Scene) -> None:
    assert scene.client_with("outsider", frozenset({Scope.METRICS})).get("/metrics").status_code == 200
    assert scene.clients["outsider"].get("/metrics").status_code == 403
    own = scene.clients["outsider"].post("/v1/users/me/keys", json={"name": "k", "scopes": ["metrics"]})
    assert (own.status_code, own.json()["code"]) == (422, "wider_key")
    assert scene.clients["auditor"].post("/v1/users/me/keys", json={"name": "k", "scopes": ["metrics"]}).is_success
