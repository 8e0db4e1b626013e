"""Jobs over HTTP: followed, stopped, repeated; and an upload that the queue does not hear of."""

import json
import threading
import time
from pathlib import Path

import pytest

from kbcore.domain.document import Classification, VersionState
from kbcore.domain.job import JobKind, JobState
from kbcore.domain.principal import UserKind
from kbcore.errors import ItemFailed
from kbcore.metadata import jobs, users, versions
from kbcore.metadata.database import Database
from services.api.app import create_app
from services.auth.api_keys import issue_key
from services.auth.authenticate import ON_BEHALF_OF
from tests.api_server import Api, api_settings, serving


@pytest.fixture
def hr(api: Api) -> str:
    """A space that `lina` may change."""
    api.person("lina")
    return api.space("hr", lina="editor")


def test_a_job_is_followed_to_its_end(api: Api, hr: str) -> None:
    lina = api.person("lina")
    job_id = api.upload(lina, hr)["job_id"]

    begun = threading.Event()

    def work() -> None:
        begun.wait(30)
        with api.database.begin() as connection:
            jobs.claim(connection, job_id, "w", 30)
            jobs.progress(connection, job_id, "w", "embed", 3, 10)
        time.sleep(0.6)
        with api.database.begin() as connection:
            jobs.finish(connection, [job_id], JobState.SUCCEEDED, stage="done")

    worker = threading.Thread(target=work)
    worker.start()
    events: list[tuple[str, dict[str, object]]] = []
    with lina.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((event, json.loads(line.removeprefix("data: "))))
                begun.set()
    worker.join()
    assert events[0][0] == "progress"
    assert events[0][1]["state"] == "queued"
    assert any(shown["stage"] == "embed" and shown["done"] == 3 and shown["total"] == 10 for _, shown in events)
    assert (events[-1][0], events[-1][1]["state"]) == ("done", "succeeded")
    assert (events[-1][1]["done"], events[-1][1]["total"]) == (10, 10)


def test_following_ends_when_the_right_to_see_it_ends(api: Api, hr: str) -> None:
    wang = api.person("wang")
    api.admin.put(
        "/v1/spaces/hr/policy",
        json={"allow": [{"principal": f"user:{name}", "role": "editor"} for name in ("lina", "wang")]},
    ).raise_for_status()
    job_id = api.upload(api.person("lina"), hr)["job_id"]
    with wang.stream("GET", f"/v1/jobs/{job_id}/events") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: progress"
        api.admin.put("/v1/spaces/hr/policy", json={}).raise_for_status()
        rest = list(lines)
    assert "event: error" in rest
    assert '"job_not_found"' in rest[rest.index("event: error") + 1]


def test_a_job_is_stopped_once_and_repeated_after_its_end(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = api.upload(lina, hr)
    path = f"/v1/jobs/{made['job_id']}"
    early = lina.post(f"{path}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "job_not_repeatable")
    assert lina.post(f"{path}/cancel").json()["cancel_requested"] is True
    reason = ItemFailed("broken_file", "cannot be read", page=3)
    with api.database.begin() as connection:
        versions.mark_ended(connection, made["document_id"], 1, VersionState.FAILED, reason)
        jobs.finish(connection, [made["job_id"]], JobState.FAILED, stage="failed", reason=reason)
    assert lina.get(path).json()["error"] == {"code": "broken_file", "detail": "cannot be read", "page": 3}
    document = lina.get(f"/v1/documents/{made['document_id']}").json()
    assert (document["status"], document["reason"]["code"]) == ("failed", "broken_file")
    late = lina.post(f"{path}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "job_ended")

    again = lina.post(f"{path}/retry")
    assert (again.status_code, again.json()["state"], again.json()["error"]) == (202, "queued", None)
    assert lina.get(f"/v1/documents/{made['document_id']}").json()["status"] == "pending"


def test_jobs_are_listed_by_state_for_those_who_may_see_them(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = [api.upload(lina, hr, str(number).encode())["job_id"] for number in range(3)]
    with api.database.begin() as connection:
        jobs.finish(connection, made[:1], JobState.SUCCEEDED, stage="done")
    count = lambda client, **params: [job["id"] for job in client.get("/v1/jobs", params=params).json()["items"]]  # noqa: E731
    assert count(lina) == made[::-1]
    assert count(lina, state="succeeded") == made[:1]
    assert count(api.person("outsider")) == []
    assert lina.get("/v1/jobs", params={"state": "lost"}).status_code == 422


def test_an_upload_is_accepted_while_the_queue_is_down(api: Api, hr: str, postgres_url: str, tmp_path: Path) -> None:
    settings = api_settings(tmp_path, postgres_url, "redis://127.0.0.1:1/0")
    api.person("lina")
    with serving(create_app(settings)) as url:
        authorization = api.person("lina").headers["authorization"]
        other = Api(url, create_app(settings), api.database)
        made = other.upload(other.client(authorization.removeprefix("Bearer ")), hr, b"during the outage")
        other.close()
    with api.database.begin() as connection:
        job = jobs.get(connection, made["job_id"])
    assert job is not None
    assert job.state is JobState.QUEUED


def test_without_sql_nothing_is_shown(database: Database, tmp_path: Path) -> None:
    settings = api_settings(tmp_path, "postgresql://nobody@127.0.0.1:1/none", "redis://127.0.0.1:1/0")
    app = create_app(settings)
    with serving(app) as url:
        api = Api(url, app, database)
        key = f"zk_{'0' * 32}_{'A' * 43}"
        for path in ("/v1/documents", "/v1/users/me", "/v1/jobs"):
            answer = api.client(key).get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "acl_unavailable")
            assert "127.0.0.1" not in answer.text
        assert api.client().get("/healthz").status_code == 200
        ready = api.client().get("/readyz")
        assert ready.status_code == 503
        assert {item["name"]: item["ok"] for item in ready.json()["dependencies"]} == {
            "postgresql": False, "redis": False, "milvus": False, "blobs": True, "models": False,
        }  # fmt: skip
        api.close()


def test_jobs_of_indexes_end_with_the_right_to_order_them(api: Api) -> None:
    boss = api.person("boss", is_admin=True)
    with api.database.begin() as connection:
        boss_id = users.get_user(connection, "boss").id
        job_id = jobs.insert(connection, JobKind.DROP, created_by=boss_id, subject="7")
    assert boss.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    with api.database.begin() as connection:
        jobs.finish(connection, [job_id], JobState.CANCELLED, stage="cancelled")
        app = users.create_user(
            connection,
            name="app",
            display_name="app",
            email=None,
            clearance=Classification.PUBLIC,
            is_admin=False,
            kind=UserKind.SERVICE,
        )
        acting = api.client(issue_key(connection, user_id=app.id, name="k", acts_for=True).token)
    acting.headers[ON_BEHALF_OF] = boss_id
    assert acting.post(f"/v1/jobs/{job_id}/retry").status_code == 404
    assert acting.get("/v1/jobs").json()["items"] == []
    api.admin.patch("/v1/users/boss", json={"is_admin": False}).raise_for_status()
    assert boss.get(f"/v1/jobs/{job_id}").status_code == 404
    assert boss.post(f"/v1/jobs/{job_id}/retry").status_code == 404
    assert api.admin.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"


def test_following_ends_with_the_key(api: Api, hr: str) -> None:
    lina = api.person("lina")
    job_id = api.upload(lina, hr)["job_id"]
    with api.database.begin() as connection:
        issued = issue_key(connection, user_id=users.get_user(connection, "lina").id, name="k")
    with api.client(issued.token).stream("GET", f"/v1/jobs/{job_id}/events") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: progress"
        api.admin.delete(f"/v1/api-keys/{issued.key.id}").raise_for_status()
        with api.database.begin() as connection:
            jobs.finish(connection, [job_id], JobState.SUCCEEDED, stage="done")
        rest = list(lines)
    assert "event: error" in rest
    assert not any('"succeeded"' in line for line in rest)
