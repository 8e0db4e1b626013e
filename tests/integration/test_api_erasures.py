"""Erasing and purging over HTTP."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from kbcore.bootstrap import Platform
from kbcore.metadata import spaces
from kbcore.signing import verify
from services.auth.api_keys import issue_key
from tests.integration.erasing import Traces
from tests.integration.ingesting import Works, open_works
from tests.servers.application import serving


@pytest.fixture
def works(platform: Platform) -> Iterator[Works]:
    with open_works(platform) as works:
        yield works


@pytest.fixture
def traces(works: Works) -> Traces:
    return Traces.leave(works)


@pytest.fixture
def admin(traces: Traces) -> Iterator[httpx.Client]:
    platform = traces.works.platform
    with platform.database.begin() as connection:
        token = issue_key(connection, user_id=traces.admin.user_id, name="t").token
    headers = {"Authorization": f"Bearer {token}"}
    with serving(platform) as url, httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


def test_the_answer_is_the_certificate_as_soon_as_the_worker_is_done(admin: httpx.Client, traces: Traces) -> None:
    path = f"/v1/documents/{traces.secret}/erase"
    accepted = admin.post(path, json={"reason": "court order"}, headers={"Prefer": "wait=0"})
    assert accepted.status_code == 202
    shown = admin.get(f"/v1/erasures/{accepted.json()['erasure_id']}").json()
    assert (shown["reason"], shown["certificate"], shown["job_id"]) == ("court order", None, accepted.json()["job_id"])

    worker = threading.Timer(0.3, traces.works.bench.run, [accepted.json()["job_id"]])
    worker.start()
    waited = admin.post(path, headers={"Prefer": "wait=60"})
    worker.join()
    certificate = waited.json()
    assert (waited.status_code, verify(certificate)) == (200, True)
    assert certificate["document_id"] == traces.secret
    assert admin.get(f"/v1/erasures/{certificate['erasure_id']}").json()["certificate"] == certificate
    assert admin.post(path).json() == certificate
    assert traces.left() == []


def test_a_repeated_request_with_a_key_gets_the_certificate_too(admin: httpx.Client, traces: Traces) -> None:
    path, headers = f"/v1/documents/{traces.secret}/erase", {"Prefer": "wait=0", "Idempotency-Key": "once"}
    first = admin.post(path, headers=headers)
    traces.works.bench.run(first.json()["job_id"])
    again = admin.post(path, headers=headers)
    assert (again.status_code, verify(again.json())) == (200, True)


def test_history_shows_that_the_source_was_erased(admin: httpx.Client, traces: Traces) -> None:
    def turns() -> list[tuple[object, object, str]]:
        shown = admin.get(f"/v1/conversations/{traces.conversation}").json()["turns"]
        return [(turn["answer"], turn["citations"], turn["reason"]) for turn in shown]

    withheld, erased = (None, [], "access_withdrawn"), (None, [], "erased")
    assert turns() == [withheld, withheld, withheld]
    traces.erase()
    assert turns() == [withheld, withheld, withheld]  # whoever could not read it any more learns nothing new
    traces.admit()
    shown = turns()
    assert [shown[0], shown[2]] == [erased, erased]  # cited, and only named
    assert shown[1][0] is not None


def test_an_unknown_document_is_not_found(admin: httpx.Client) -> None:
    unknown = admin.post("/v1/documents/0198c0de-0000-7000-8000-000000000000/erase")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "document_not_found")
    unknown = admin.get("/v1/erasures/0198c0de-0000-7000-8000-000000000000")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "erasure_not_found")


def test_retention_is_set_shown_and_taken_back(admin: httpx.Client, traces: Traces) -> None:
    assert admin.get("/v1/spaces/s").json()["retention_days"] is None
    changed = admin.patch("/v1/spaces/s", json={"retention_days": 30, "retention_versions": 5}).json()
    assert (changed["retention_days"], changed["retention_versions"]) == (30, 5)
    assert admin.patch("/v1/spaces/s", json={"title": "S"}).json()["retention_days"] == 30
    assert admin.patch("/v1/spaces/s", json={"retention_days": None}).json()["retention_days"] is None
    for wrong in (0, -1, "x", 10**6):
        assert admin.patch("/v1/spaces/s", json={"retention_versions": wrong}).status_code == 422


def test_purging_at_once(admin: httpx.Client, traces: Traces) -> None:
    admin.patch("/v1/spaces/s", json={"retention_versions": 1})
    ordered = admin.post("/v1/spaces/s/purge")
    assert (ordered.status_code, ordered.json()["kind"]) == (202, "purge")
    assert admin.post("/v1/spaces/s/purge").json()["id"] == ordered.json()["id"]  # it waits already
    traces.works.bench.run(ordered.json()["id"])
    assert admin.get(f"/v1/jobs/{ordered.json()['id']}").json()["state"] == "succeeded"
    assert traces.works.version(traces.secret, 1).purged_at is not None
    assert traces.works.version(traces.secret, 2).purged_at is None


def test_an_answer_about_a_purged_past_says_so(admin: httpx.Client, traces: Traces) -> None:
    works = traces.works
    traces.admit()
    works.execute("UPDATE publications SET committed_at = committed_at - interval '1 day'")
    works.execute("UPDATE publications SET committed_at = committed_at - interval '1 day' WHERE epoch < 2")
    with works.platform.database.begin() as connection:
        spaces.update_space(connection, works.space_id, {"retention_versions": 1})
        ended = works.version(traces.secret, 1).valid_to
        before = connection.exec_driver_sql("SELECT committed_at FROM publications WHERE epoch = 1").scalar_one()
        after = connection.exec_driver_sql(f"SELECT committed_at FROM publications WHERE epoch = {ended}").scalar_one()

    def incomplete(**more: object) -> list[str]:
        body = {"query": "canteen", **more}
        found = list(admin.post("/v1/search", json=body).raise_for_status().json()["incomplete"])
        asked = {"question": body.pop("query"), **body}
        assert admin.post("/v1/ask", json=asked).raise_for_status().json()["incomplete"] == found
        return found

    assert incomplete(as_of=before.isoformat()) == []
    traces.works.bench.run(admin.post("/v1/spaces/s/purge").json()["id"])
    assert incomplete(as_of=before.isoformat()) == ["s"]
    assert incomplete(as_of=before.isoformat(), spaces=["s"]) == ["s"]
    assert incomplete(as_of=after.isoformat()) == []
    assert incomplete() == []


def test_what_was_purged_of_hidden_documents_is_not_told(admin: httpx.Client, traces: Traces) -> None:
    works, body = traces.works, {"query": "canteen", "as_of": "epoch:1"}
    incomplete = lambda: admin.post("/v1/search", json=body).raise_for_status().json()["incomplete"]  # noqa: E731
    with works.platform.database.begin() as connection:
        spaces.update_space(connection, works.space_id, {"retention_versions": 1})
    works.bench.run(admin.post("/v1/spaces/s/purge").json()["id"])
    assert works.version(traces.secret, 1).purged_at is not None
    assert incomplete() == []
    traces.admit()
    assert incomplete() == ["s"]
    shut = {"allow": [{"principal": "user:admin", "role": "reader"}], "deny": ["everyone"]}
    admin.put(f"/v1/documents/{traces.secret}/policy", json=shut).raise_for_status()
    assert incomplete() == []  # the space is seen, and its other document, but nothing of that one was purged


def test_the_bytes_of_a_purged_version_are_not_found(admin: httpx.Client, traces: Traces) -> None:
    path = "/v1/spaces/s/policy"
    admin.put(path, json={"allow": [{"principal": "user:admin", "role": "manager"}]}).raise_for_status()
    admin.patch("/v1/spaces/s", json={"retention_versions": 1})
    content = f"/v1/documents/{traces.secret}/versions/1/content"
    assert admin.get(content).status_code == 200
    traces.works.bench.run(admin.post("/v1/spaces/s/purge").json()["id"])
    gone = admin.get(content)
    assert (gone.status_code, gone.json()["code"]) == (404, "content_not_found")
    assert admin.get(f"/v1/documents/{traces.secret}/versions/1").json()["text"] is None
    assert admin.get(f"/v1/documents/{traces.secret}/versions/1/chunks").json()["items"] == []
    assert admin.get(f"/v1/documents/{traces.secret}/versions/2/content").status_code == 200


def test_bytes_that_vanish_while_they_are_taken_in_are_asked_for_again(
    admin: httpx.Client, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.put("/v1/spaces/s/policy", json={"allow": [{"principal": "user:admin", "role": "editor"}]})
    monkeypatch.setattr(traces.works.platform.blobs, "exists", lambda _: False)
    refused = admin.post("/v1/documents", data={"space": "s"}, files={"file": ("a.txt", b"content")})
    assert (refused.status_code, refused.json()["code"]) == (503, "dependency_unavailable")
    monkeypatch.undo()
    assert admin.post("/v1/documents", data={"space": "s"}, files={"file": ("a.txt", b"content")}).status_code == 202
