"""The glossary over HTTP: what is kept, what is refused, who sees it."""

from typing import Any

import httpx
import pytest

from kbcore.domain.glossary import MAX_EXPANSIONS, MAX_TERM
from kbcore.metadata import glossary
from services.auth.api_keys import issue_key
from tests.integration.asking import Desk


@pytest.fixture
def admin(desk: Desk) -> httpx.Client:
    caller = desk.corpus.person("root", is_admin=True)
    with desk.corpus.platform.database.begin() as connection:
        desk.keys["root"] = issue_key(connection, user_id=caller.user_id, name="test").token
    return desk.client("root")


def test_an_entry_lives_and_goes(desk: Desk, admin: httpx.Client) -> None:
    with admin, desk.client() as employee:
        body = {"term": " ＰＴＯ ", "expansions": ["年假", "annual  leave", "年假"]}
        made = admin.post("/v1/glossary", json=body).raise_for_status().json()
        assert (made["term"], made["expansions"], made["space"]) == ("PTO", ["年假", "annual leave"], None)
        assert employee.get("/v1/glossary").json()["items"] == [made]
        place = f"/v1/glossary/{made['id']}"
        changed = admin.patch(place, json={"expansions": ["休假"]}).raise_for_status().json()
        assert (changed["term"], changed["expansions"]) == ("PTO", ["休假"])
        assert employee.patch(place, json={"term": "x"}).status_code == 403
        assert admin.delete(place).status_code == 204
        assert employee.get("/v1/glossary").json()["items"] == []
        assert admin.delete(place).json()["code"] == "glossary_entry_not_found"


def test_a_term_stands_once_in_each_glossary(admin: httpx.Client) -> None:
    with admin:
        body = {"term": "PTO", "expansions": ["年假"]}
        admin.post("/v1/glossary", json=body).raise_for_status()
        again = admin.post("/v1/glossary", json={**body, "term": "pto"})
        assert (again.status_code, again.json()["code"]) == (409, "term_taken")
        admin.post("/v1/glossary", json={**body, "space": "hr"}).raise_for_status()
        other = admin.post("/v1/glossary", json={**body, "term": "RTO"}).raise_for_status().json()
        taken = admin.patch(f"/v1/glossary/{other['id']}", json={"term": "PTO"})
        assert (taken.status_code, taken.json()["code"]) == (409, "term_taken")
        admin.patch(f"/v1/glossary/{other['id']}", json={"term": "rto"}).raise_for_status()


@pytest.mark.parametrize(
    "body",
    [
        {"term": "", "expansions": ["x"]},
        {"term": "！？", "expansions": ["x"]},
        {"term": "x" * (MAX_TERM + 1), "expansions": ["x"]},
        {"term": "x\x00", "expansions": ["x"]},
        {"term": "x", "expansions": []},
        {"term": "x", "expansions": [""]},
        {"term": "x", "expansions": [f"w{number}" for number in range(MAX_EXPANSIONS + 1)]},
        {"term": "x", "expansions": ["y"], "weight": 3},
    ],
)
def test_sizes_are_limited(admin: httpx.Client, body: dict[str, Any]) -> None:
    with admin:
        assert admin.post("/v1/glossary", json=body).status_code == 422


def test_a_glossary_fills_up(desk: Desk, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glossary, "MAX_ENTRIES", 1)
    with admin:
        admin.post("/v1/glossary", json={"term": "a", "expansions": ["b"]}).raise_for_status()
        full = admin.post("/v1/glossary", json={"term": "b", "expansions": ["b"]})
        assert (full.status_code, full.json()["code"]) == (422, "glossary_full")
        admin.post("/v1/glossary", json={"term": "a", "expansions": ["b"], "space": "hr"}).raise_for_status()


def test_it_is_listed_by_space_and_in_pages(desk: Desk, admin: httpx.Client) -> None:
    with admin, desk.client() as employee, desk.client("hr") as hr:
        for space in (None, "public", "hr"):
            for term in ("a", "b"):
                admin.post("/v1/glossary", json={"term": term, "expansions": ["x"], "space": space}).raise_for_status()
        seen = [item["space"] for item in employee.get("/v1/glossary").json()["items"]]
        assert seen == [None, None, "public", "public"]
        assert len(hr.get("/v1/glossary").json()["items"]) == 6
        assert {item["space"] for item in hr.get("/v1/glossary?space=hr").json()["items"]} == {"hr"}
        assert employee.get("/v1/glossary?space=hr").json()["code"] == "space_not_found"
        first = employee.get("/v1/glossary?limit=3").json()
        rest = employee.get(f"/v1/glossary?limit=3&cursor={first['next_cursor']}").json()
        assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)
