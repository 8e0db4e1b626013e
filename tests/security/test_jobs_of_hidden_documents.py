"""Jobs of documents that somebody may not read now: not listed, not read, not followed, not stopped, not repeated."""

import httpx
import pytest

from kbcore.domain.document import VersionState
from kbcore.domain.job import JobState
from kbcore.errors import ItemFailed
from kbcore.metadata import jobs, versions
from kbcore.metadata.visible_jobs import WITHHELD_DETAIL
from tests.api_server import Api

REASON = ItemFailed("broken_file", "Line 7 of quetzal.csv is not valid", page=7)


@pytest.fixture
def people(api: Api) -> dict[str, httpx.Client]:
    """Mia manages the space; Ed and Eve edit in it."""
    found = {name: api.person(name) for name in ("mia", "ed", "eve")}
    api.space("hr", mia="manager", ed="editor", eve="editor")
    return found


def shut(api: Api, document: str, **roles: str) -> None:
    """Give a document a policy of its own."""
    allow = [{"principal": f"user:{who}", "role": role} for who, role in roles.items()]
    api.admin.put(f"/v1/documents/{document}/policy", json={"allow": allow}).raise_for_status()


def failed(api: Api, client: httpx.Client) -> dict[str, str]:
    """An upload that could not be read."""
    made = api.upload(client, "hr")
    with api.database.begin() as connection:
        versions.mark_ended(connection, made["document_id"], 1, VersionState.FAILED, REASON)
        jobs.finish(connection, [made["job_id"]], JobState.FAILED, stage="failed", reason=REASON)
    return made


def listed(client: httpx.Client, **query: object) -> list[str]:
    return [job["id"] for job in client.get("/v1/jobs", params=query).raise_for_status().json()["items"]]


def state(api: Api, made: dict[str, str]) -> tuple[object, object]:
    with api.database.begin() as connection:
        job, version = jobs.get(connection, made["job_id"]), versions.get(connection, made["document_id"], 1)
    assert job is not None
    assert version is not None
    return job.state, version.state


def test_whoever_may_not_read_the_document_sees_no_job_of_it(api: Api, people: dict[str, httpx.Client]) -> None:
    made = failed(api, people["eve"])
    path = f"/v1/jobs/{made['job_id']}"
    for client in people.values():
        assert made["job_id"] in listed(client)
        assert client.get(path).json()["error"]["detail"] == REASON.detail
    shut(api, made["document_id"], mia="manager")
    assert made["job_id"] in listed(people["mia"])
    for who in ("ed", "eve"):  # an editor of the space, and who made it
        client = people[who]
        assert listed(client) == []
        for answer in (
            client.get(path),
            client.get(f"{path}/events"),
            client.post(f"{path}/retry"),
            client.post(f"{path}/cancel"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert state(api, made) == (JobState.FAILED, VersionState.FAILED)


def test_who_may_only_read_the_document_neither_stops_nor_repeats(api: Api, people: dict[str, httpx.Client]) -> None:
    made = failed(api, people["eve"])
    path = f"/v1/jobs/{made['job_id']}"
    shut(api, made["document_id"], mia="manager", eve="reader", ed="reader")
    assert people["eve"].get(path).status_code == 200  # she made it, and may read what it says
    assert people["ed"].get(path).status_code == 404
    for action in ("retry", "cancel"):
        assert people["eve"].post(f"{path}/{action}").json()["code"] == "job_not_found"
    assert state(api, made) == (JobState.FAILED, VersionState.FAILED)
    assert people["mia"].post(f"{path}/retry").status_code == 202


def test_an_editor_of_the_document_alone_sees_and_repeats_its_job(api: Api, people: dict[str, httpx.Client]) -> None:
    made = failed(api, people["eve"])
    guest = api.person("guest")
    assert listed(guest) == []
    shut(api, made["document_id"], guest="editor")
    assert listed(guest)[-1] == made["job_id"]
    assert guest.post(f"/v1/jobs/{made['job_id']}/retry").status_code == 202


def test_an_administrator_manages_jobs_without_reading_what_they_say(api: Api, people: dict[str, httpx.Client]) -> None:
    made = failed(api, people["eve"])
    path = f"/v1/jobs/{made['job_id']}"
    for job in (api.admin.get(path).json(), api.admin.get("/v1/jobs").json()["items"][0]):
        assert (job["document_id"], job["state"], job["stage"]) == (made["document_id"], "failed", "failed")
        assert job["error"] == {"code": "broken_file", "detail": WITHHELD_DETAIL, "page": None}
    assert "quetzal" not in api.admin.get(f"{path}/events").text
    shut(api, made["document_id"], admin="reader")
    assert api.admin.get(path).json()["error"]["detail"] == REASON.detail
    assert api.admin.post(f"{path}/retry").status_code == 202


def test_of_a_deleted_document_only_administrators_see_jobs(api: Api, people: dict[str, httpx.Client]) -> None:
    made = api.upload(people["eve"], "hr")
    assert people["eve"].delete(f"/v1/documents/{made['document_id']}").status_code == 204
    assert len(listed(api.admin)) == 2
    assert [listed(client) for client in people.values()] == [[], [], []]


def test_what_a_purge_counts_is_for_managers(api: Api, people: dict[str, httpx.Client]) -> None:
    job = people["mia"].post("/v1/spaces/hr/purge").raise_for_status().json()["id"]
    assert listed(people["mia"]) == listed(api.admin) == [job]
    assert listed(people["ed"]) == []
    assert people["ed"].get(f"/v1/jobs/{job}").status_code == 404
    allow = [{"principal": f"user:{who}", "role": "editor"} for who in ("mia", "ed")]
    api.admin.put("/v1/spaces/hr/policy", json={"allow": allow}).raise_for_status()
    assert listed(people["mia"]) == []  # though she ordered it


def test_hidden_jobs_leave_no_gaps_in_the_pages(api: Api, people: dict[str, httpx.Client]) -> None:
    made = [api.upload(people["eve"], "hr", str(number).encode()) for number in range(5)]
    for hidden in (made[0], made[2], made[4]):
        shut(api, hidden["document_id"], mia="manager")
    page = people["eve"].get("/v1/jobs", params={"limit": 1}).json()
    rest = people["eve"].get("/v1/jobs", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [job["id"] for job in page["items"] + rest["items"]] == [made[3]["job_id"], made[1]["job_id"]]
    assert rest["next_cursor"] is None


def test_following_ends_when_the_document_is_shut(api: Api, people: dict[str, httpx.Client]) -> None:
    made = api.upload(people["eve"], "hr")
    with people["eve"].stream("GET", f"/v1/jobs/{made['job_id']}/events") as response:
        lines = response.iter_lines()
        assert next(lines) == "event: progress"
        shut(api, made["document_id"], mia="manager")
        rest = list(lines)
    assert '"job_not_found"' in rest[rest.index("event: error") + 1]
