"""No words of documents, questions or people get into the audit log; and what can't be recorded isn't shown."""

from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.metadata import jobs, users
from kbcore.metadata.tables import audit_head
from services.auth.api_keys import issue_key
from tests.api_server import Api
from tests.integration.auditing import kinds, rows, tampering
from tests.integration.ingesting import Works, open_works
from tests.servers.application import serving

MARK = "quetzalcoatlus"
"""Stands in everything that people write below."""


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


def client(works: Works, url: str, name: str, *, is_admin: bool = False) -> httpx.Client:
    with works.platform.database.begin() as connection:
        user = users.create_user(
            connection,
            name=name,
            display_name=f"{MARK} {name}",
            email=f"{MARK}@example.com",
            clearance=users.Classification.RESTRICTED,
            is_admin=is_admin,
        )
        token = issue_key(connection, user_id=user.id, name=MARK).token
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False)


def run_jobs(works: Works) -> None:
    with works.platform.database.begin() as connection:
        queued = [job.id for job in jobs.list_of(connection, limit=50) if not job.ended]
    for job_id in queued:
        works.bench.run(job_id)


def test_no_word_of_anybody_gets_into_the_log(works: Works) -> None:
    with serving(works.platform) as url, client(works, url, f"admin.{MARK}", is_admin=True) as admin:
        admin.post("/v1/spaces", json={"name": MARK, "title": MARK}).raise_for_status()
        admin.post("/v1/groups", json={"name": f"g.{MARK}"}).raise_for_status()
        members = {"members": [f"user:admin.{MARK}"]}
        admin.post(f"/v1/groups/g.{MARK}/members", json=members).raise_for_status()
        fields = {"space": MARK, "title": MARK, "external_id": MARK, "tags": [MARK], "comment": MARK, "source": MARK}
        good = admin.post(
            "/v1/documents", data=fields, files={"file": (f"{MARK}.md", f"# {MARK}\n\nIt ends.".encode())}
        )
        bad = {"file": (f"{MARK}.pdf", f"%PDF-1.4 {MARK}".encode())}
        failed = admin.post("/v1/documents", data={"space": MARK}, files=bad)
        run_jobs(works)
        document = good.raise_for_status().json()["document_id"]
        text = f"# {MARK}\n\nIt begins again."
        admin.put(f"/v1/documents/{document}/text", json={"text": text, "comment": MARK}).raise_for_status()
        run_jobs(works)
        admin.patch(f"/v1/documents/{document}", json={"title": f"{MARK} 2", "comment": MARK}).raise_for_status()
        for path in ("", "/versions/1", "/versions/2", "/versions/1/content", "/versions/1/diff/2", "/answers"):
            admin.get(f"/v1/documents/{document}{path}").raise_for_status()
        admin.get(f"/v1/jobs/{failed.raise_for_status().json()['job_id']}").raise_for_status()
        admin.get("/v1/spaces").raise_for_status()
        admin.get("/v1/documents", params={"q": MARK}).raise_for_status()
        admin.post("/v1/search", json={"query": MARK}).raise_for_status()
        asked = admin.post("/v1/ask", json={"question": f"What is {MARK}?"}).raise_for_status().json()
        feedback = {"trace_id": asked["trace_id"], "rating": 1, "comment": MARK}
        admin.post("/v1/feedback", json=feedback).raise_for_status()
        conversation = admin.get("/v1/conversations").json()["items"][0]["id"]
        admin.get(f"/v1/conversations/{conversation}").raise_for_status()
        for path in (f"/v1/spaces/{MARK}2", f"/v1/documents/{MARK}", f"/v1/users/{MARK}", f"/v1/snapshots/{MARK}"):
            assert admin.get(path).status_code == 404
        admin.post("/v1/snapshots", json={"name": MARK, "comment": MARK}).raise_for_status()
        admin.delete(f"/v1/snapshots/{MARK}").raise_for_status()
        admin.delete(f"/v1/documents/{document}").raise_for_status()
        run_jobs(works)
        admin.post(f"/v1/documents/{document}/erase", json={"reason": MARK}, headers={"Prefer": "wait=0"})
        run_jobs(works)
    found = rows(works.platform.database)
    assert [row for row in found if MARK in str(row)] == []
    told = {row["kind"] for row in found}
    assert told >= {
        "request.done", "request.read", "request.refused", "document.read", "documents.listed", "document.published",
        "document.withdrawn", "document.erased", "job.failed", "membership.changed", "policy.changed",
    }  # fmt: skip


def test_what_cannot_be_recorded_is_neither_shown_nor_done(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", lina="editor")
    document = api.upload(lina, "hr", b"secret text")["document_id"]
    with tampering(api.database) as connection:
        kept = connection.execute(sa.select(audit_head)).one()
        connection.execute(audit_head.delete())
    before = kinds(api.database)
    for answer in (
        lina.get(f"/v1/documents/{document}/versions/1/content"),
        lina.get(f"/v1/documents/{document}"),
        lina.get("/v1/documents"),
        lina.get("/v1/documents/hidden"),
        lina.patch(f"/v1/documents/{document}", json={"title": "new"}),
        lina.delete(f"/v1/documents/{document}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
        assert answer.headers["retry-after"] == "2"
        assert "secret" not in answer.text
        assert "content-disposition" not in answer.headers
    assert kinds(api.database) == before
    with tampering(api.database) as connection:
        connection.execute(audit_head.insert().values(**kept._mapping))
    assert lina.get(f"/v1/documents/{document}").json()["title"] == "note"
    assert lina.get(f"/v1/documents/{document}/versions/1/content").text == "secret text"
