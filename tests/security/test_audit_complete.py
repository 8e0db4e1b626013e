"""Nothing is done or shown over HTTP without a record: every route, called for real, or an exception with a reason."""

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from kbcore.metadata.database import Database
from services.api.audit_edge import LISTS, READS, UNRECORDED
from services.api.rights import RIGHTS, Who
from tests.integration.auditing import rows
from tests.security.scene import ROLES, Scene
from tests.security.test_routes_roles import ROWS, Row, _routes

QUERY_PATH = {"POST /v1/search", "POST /v1/ask", "POST /v1/chat/completions", "POST /retrieval"}
"""Recorded by the query path, with their traces."""

OWN_WORDS = {
    "GET /v1/access/explain": "access.explained",
    "POST /v1/access/preview": "access.previewed",
    "POST /v1/audit/verify": "audit.verified",
    "GET /v1/traces/{trace_id}": "trace.read",
    "POST /v1/traces/{trace_id}/replay": "trace.replayed",
    "GET /v1/users/me/export": "person.exported",
    "GET /v1/users/{user}/export": "person.exported",
}
"""Routes whose one record has a word of its own."""


def last(database: Database) -> int:
    with database.begin() as connection:
        return int(connection.execute(sa.text("SELECT seq FROM audit_head")).scalar_one())


def of(route: str) -> tuple[str, str]:
    method, _, template = route.partition(" ")
    return method, template


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.route)
def test_every_answer_to_a_known_caller_is_recorded(scene: Scene, row: Row) -> None:
    for role in ROLES[1:]:
        before = last(scene.api.database)
        status = row.call(scene, role).status_code
        new = [each for each in rows(scene.api.database) if each["seq"] > before]
        # The use of a key is recorded once a minute, whatever is asked with it.
        mine = [each for each in new if each["actor"] == scene.user_ids[role] and each["kind"] != "key.used"]
        if RIGHTS[row.route].who is Who.PUBLIC and row.route.startswith("GET "):
            assert mine == [], "nobody says who it is there"
        elif status in (403, 404):
            (refused,) = (each for each in mine if each["kind"] == "request.refused")
            assert (refused["detail"]["method"], refused["detail"]["route"]) == of(row.route)
            assert refused["detail"]["status"] == status
            assert refused["detail"]["count"] == 1
        elif status < 400 and row.route not in UNRECORDED:
            kind, count = _expected(row.route), len(mine)
            assert kind in [each["kind"] for each in mine], (role, status, count)
            assert all(each["trace_id"] and each["key_id"] for each in mine)
        elif status < 400 and row.route in QUERY_PATH:
            assert "search.retrieved" in [each["kind"] for each in mine]
        elif row.route not in QUERY_PATH | {"GET /v1/jobs/{job_id}", "GET /v1/jobs/{job_id}/events", "GET /v1/jobs"}:
            assert mine == []


def _expected(route: str) -> str:
    if route in OWN_WORDS:
        return OWN_WORDS[route]
    if route in READS:
        return "document.read"
    if route in LISTS:
        return "documents.listed"
    return "request.read" if route.startswith("GET ") else "request.done"


def test_every_exception_exists_and_says_why(served_api: tuple[str, FastAPI]) -> None:
    _, app = served_api
    served = {f"{method} {path}" for path, methods in _routes(app.routes) for method in methods}
    assert set(UNRECORDED) | set(READS) | LISTS <= served
    assert all(len(reason.split()) > 2 for reason in UNRECORDED.values())
    assert not UNRECORDED.keys() & (READS.keys() | LISTS)


def test_no_write_is_an_exception_but_those_of_the_query_path() -> None:
    writes = {route for route in UNRECORDED if not route.startswith("GET ")}
    assert writes == QUERY_PATH | {"POST /v1/embeddings", "POST /mcp"}
