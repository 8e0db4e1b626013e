"""Snapshots: a name for the epoch that readers see now, of a space or of everything."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from kbcore.metadata import snapshots
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.tables import epoch
from tests.api_server import Api


@pytest.fixture
def hr(api: Api) -> str:
    """A space with a manager and a reader."""
    api.person("lina")
    api.person("wang")
    return api.space("hr", lina="manager", wang="reader")


def reach(api: Api, value: int) -> None:
    with api.database.begin() as connection:
        connection.execute(sa.update(epoch).values(value=value))


def test_a_name_stays_at_the_epoch_of_its_making(api: Api, hr: str) -> None:
    lina = api.person("lina")
    reach(api, 7)
    made = lina.post("/v1/snapshots", json={"name": "年报-2026", "space": "hr", "comment": "before the reform"})
    assert made.status_code == 201
    reach(api, 9)
    read = lina.get("/v1/snapshots/年报-2026").json()
    assert read == made.json()
    assert (read["epoch"], read["space"], read["comment"]) == (7, "hr", "before the reform")
    taken = lina.post("/v1/snapshots", json={"name": "年报-2026", "space": hr})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert lina.delete("/v1/snapshots/年报-2026").status_code == 204
    assert lina.get("/v1/snapshots/年报-2026").json()["code"] == "snapshot_not_found"


def test_the_state_of_everything_is_the_administrators_and_everybody_may_look(api: Api, hr: str) -> None:
    lina = api.person("lina")
    refused = lina.post("/v1/snapshots", json={"name": "all"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert api.admin.post("/v1/snapshots", json={"name": "all"}).json()["space"] is None
    assert lina.get("/v1/snapshots/all").status_code == 200
    assert lina.delete("/v1/snapshots/all").status_code == 403
    assert api.admin.delete("/v1/snapshots/all").status_code == 204


def test_who_loses_the_space_loses_its_snapshots(api: Api, hr: str) -> None:
    wang = api.person("wang")
    wang_id = wang.get("/v1/users/me").json()["id"]
    api.person("lina").post("/v1/snapshots", json={"name": "one", "space": hr}).raise_for_status()
    api.admin.post("/v1/snapshots", json={"name": "all"}).raise_for_status()
    names = lambda: [item["name"] for item in wang.get("/v1/snapshots").json()["items"]]  # noqa: E731
    assert names() == ["all", "one"]
    api.admin.put("/v1/spaces/hr/policy", json={"allow": [], "deny": ["user:wang"]}).raise_for_status()
    assert names() == ["all"]
    assert wang.get("/v1/snapshots/one").status_code == 404
    with api.database.begin() as connection:
        asking = resolve_caller(connection, wang_id)
        assert asking is not None
        assert snapshots.find(connection, asking, "one") is None
        assert snapshots.find(connection, asking, "all") is not None
        assert snapshots.find(connection, replace(asking, user_id="nobody"), "all") is None


def test_a_reader_of_a_single_document_sees_the_snapshot_and_may_not_forget_it(api: Api, hr: str) -> None:
    api.person("guest")
    lina = api.person("lina")
    lina.post("/v1/snapshots", json={"name": "one", "space": hr}).raise_for_status()
    document = api.upload(lina, hr)["document_id"]
    guest = api.person("guest")
    assert guest.get("/v1/snapshots/one").status_code == 404
    allow = [{"principal": "user:guest", "role": "reader"}]
    lina.put(f"/v1/documents/{document}/policy", json={"allow": allow, "deny": []}).raise_for_status()
    assert guest.get("/v1/snapshots/one").status_code == 200
    assert guest.delete("/v1/snapshots/one").status_code == 403
