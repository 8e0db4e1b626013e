"""Documents over HTTP: received, listed, read, changed, deleted; before and without any worker."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from kbcore.domain.chunk import StoredText
from kbcore.metadata import documents, jobs, versions
from tests.api_server import Api

PDF = b"%PDF-1.7 not really"


@pytest.fixture
def hr(api: Api) -> str:
    """A space with an editor (`lina`), a reader (`wang`) and a manager (`zhao`)."""
    for name in ("lina", "wang", "zhao"):
        api.person(name)
    return api.space("hr", lina="editor", wang="reader", zhao="manager")


def test_an_upload_becomes_a_document_a_version_and_a_job(api: Api, hr: str) -> None:
    lina = api.person("lina")
    response = lina.post(
        "/v1/documents",
        data={
            "space": "hr",
            "title": "年假制度",
            "classification": "public",
            "external_id": "leave",
            "tags": "policy，假期, policy",
            "metadata": '{"region": "CN"}',
            "effective_from": "2026-01-01T00:00:00Z",
        },
        files={"file": ("年假 制度.pdf", PDF)},
    )
    assert response.status_code == 202
    accepted = response.json()
    assert accepted["version"] == 1

    shown = lina.get(f"/v1/documents/{accepted['document_id']}")
    assert shown.headers["etag"] == '"1"'
    document = shown.json()
    assert document["space"] == "hr"
    assert document["space_id"] == hr
    assert document["title"] == "年假制度"
    assert document["tags"] == ["policy", "假期"]
    assert document["metadata"] == {"region": "CN"}
    assert (document["version"], document["latest_version"], document["status"]) == (0, 1, "pending")

    version = lina.get(f"/v1/documents/{accepted['document_id']}/versions/1").json()
    assert version["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (version["size"], version["file_name"], version["media_type"]) == (
        len(PDF), "年假 制度.pdf", "application/pdf",
    )  # fmt: skip
    assert version["text"] is None
    job = lina.get(f"/v1/jobs/{accepted['job_id']}").json()
    assert (job["kind"], job["state"], job["document_id"], job["version"]) == (
        "ingest", "queued", accepted["document_id"], 1,
    )  # fmt: skip


def test_the_same_external_id_is_a_new_version_and_the_same_bytes_are_nothing_new(api: Api, hr: str) -> None:
    lina = api.person("lina")
    first = api.upload(lina, "hr", b"one", external_id="a")
    again = lina.post("/v1/documents", data={"space": hr, "external_id": "a"}, files={"file": ("b.txt", b"one")})
    assert again.status_code == 200
    assert again.json() == {**first, "unchanged": True}
    second = api.upload(lina, "hr", b"two", external_id="a")
    assert (second["document_id"], second["version"]) == (first["document_id"], 2)
    other = api.upload(lina, "hr", b"one")
    assert other["document_id"] != first["document_id"]
    numbers = [item["number"] for item in lina.get(f"/v1/documents/{first['document_id']}/versions").json()["items"]]
    assert numbers == [2, 1]


def test_an_upload_without_a_title_takes_the_file_name(api: Api, hr: str) -> None:
    made = api.upload(api.person("lina"), "hr", file_name="../../etc/Q3 报告.final.docx")
    shown = api.person("lina").get(f"/v1/documents/{made['document_id']}").json()
    assert shown["title"] == "Q3 报告.final"


@pytest.mark.parametrize(
    ("data", "file", "status", "code"),
    [
        ({"space": "hr"}, ("a.txt", b""), 422, "empty_file"),
        ({"space": "hr"}, ("..", b"x"), 422, "file_name_missing"),
        ({"space": "hr"}, ("\u202e\u200b", b"x"), 422, "file_name_missing"),
        ({"space": "hr", "metadata": "{"}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "metadata": '["a"]'}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "metadata": '{"a": NaN}'}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "metadata": '{"a": "\\u0000"}'}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "metadata": '{"a": "\\ud800"}'}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "metadata": "[" * 100_000}, ("a.txt", b"x"), 400, "invalid_request"),
        ({"space": "hr", "metadata": "[" * 50_000}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "classification": "secret"}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "effective_from": "yesterday"}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "hr", "unknown": "1"}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": ["hr", "hr"]}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"title": "a"}, ("a.txt", b"x"), 422, "validation_failed"),
        ({"space": "nowhere"}, ("a.txt", b"x"), 404, "space_not_found"),
        ({"space": "h\x00r"}, ("a.txt", b"x"), 422, "unprocessable"),
        ({"space": "hr", "title": "a\x00b"}, ("a.txt", b"x"), 422, "validation_failed"),
        (
            {"space": "hr", "effective_from": "2026-02-01T00:00:00Z", "effective_to": "2026-01-01T00:00:00Z"},
            ("a.txt", b"x"),
            422,
            "effective_dates",
        ),
        ({"space": "hr", "classification": "restricted"}, ("a.txt", b"x"), 403, "above_clearance"),
    ],
)
def test_what_cannot_be_received_is_refused_with_the_reason(
    api: Api, hr: str, data: dict[str, Any], file: tuple[str, bytes], status: int, code: str
) -> None:
    refused = api.person("lina").post("/v1/documents", data=data, files={"file": file})
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert api.admin.get("/v1/ledger").json()["totals"]["received"] == 0


def test_what_is_no_form_with_one_file_is_refused(api: Api, hr: str) -> None:
    lina = api.person("lina")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    cases: list[tuple[httpx.Response, int, str]] = [
        (lina.post("/v1/documents", json={"space": "hr"}), 415, "unsupported_media_type"),
        (lina.post("/v1/documents", data={"space": "hr"}), 415, "unsupported_media_type"),
        (lina.post("/v1/documents", content=b"nonsense", headers=form), 400, "invalid_request"),
        (lina.post("/v1/documents", content=b"--x\r\ncut off", headers=form), 400, "invalid_request"),
        (lina.post("/v1/documents", content=b"", headers=form), 422, "validation_failed"),
        (
            lina.post("/v1/documents", content=b"x", headers={"Content-Type": "multipart/form-data"}),
            400,
            "invalid_request",
        ),
        (lina.post("/v1/documents", files={"space": (None, "hr")}), 422, "validation_failed"),
        (lina.post("/v1/documents", files={"space": (None, "hr"), "file": (None, "text")}), 422, "validation_failed"),
        (
            lina.post("/v1/documents", data={"space": "hr"}, files=[("file", ("a", b"1")), ("file", ("b", b"2"))]),
            400,
            "invalid_request",
        ),
    ]
    assert [(response.status_code, response.json()["code"]) for response, *_ in cases] == [
        (status, code) for _, status, code in cases
    ]


def test_a_file_that_is_too_large_is_refused_early_and_late(api: Api, hr: str) -> None:
    lina = api.person("lina")
    limit = api.platform.settings.server.max_upload_bytes
    declared = lina.post("/v1/documents", data={"space": "hr"}, files={"file": ("a.txt", b"x" * (limit + 200_000))})
    slightly = lina.post("/v1/documents", data={"space": "hr"}, files={"file": ("a.txt", b"x" * (limit + 1))})
    document = api.upload(lina, "hr", b"x" * limit)["document_id"]
    endless = (b"x" * 100_000 for _ in range(40))  # no Content-Length
    streamed = lina.put(f"/v1/documents/{document}/content", content=endless)
    for refused in (declared, slightly, streamed):
        assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
    large = lina.post("/v1/search", content=b"[" + b"0," * 1_000_000, headers={"Content-Type": "application/json"})
    assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")


def test_new_content_by_form_or_as_the_body_with_if_match(api: Api, hr: str) -> None:
    lina = api.person("lina")
    document = api.upload(lina, "hr", b"one", file_name="a.md")["document_id"]
    path = f"/v1/documents/{document}/content"
    stale = lina.put(path, content=b"two", headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    odd = lina.put(path, content=b"two", headers={"If-Match": "abc"})
    assert (odd.status_code, odd.json()["code"]) == (400, "invalid_if_match")
    assert lina.put(path, content=b"two", headers={"If-Match": '"1"'}).json()["version"] == 2
    assert lina.put(path, files={"file": ("b.md", b"three")}).json()["version"] == 3
    same = lina.put(path, content=b"three")
    assert (same.status_code, same.json()["unchanged"]) == (200, True)
    assert lina.put(path, content=b"").json()["code"] == "empty_file"
    listed = lina.get(f"/v1/documents/{document}/versions").json()["items"]
    assert [(item["number"], item["file_name"]) for item in listed] == [(3, "b.md"), (2, "a.md"), (1, "a.md")]


def test_original_bytes_come_back_as_an_attachment(api: Api, hr: str) -> None:
    page = b"<script>alert(1)</script>"
    made = api.upload(api.person("lina"), "hr", page, file_name='页"面;.html')
    content = api.person("wang").get(f"/v1/documents/{made['document_id']}/versions/1/content")
    assert content.content == page
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert content.headers["content-length"] == str(len(page))
    assert content.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E9%A1%B5")


def test_stored_text_is_shown_once_it_is_there(api: Api, hr: str) -> None:
    made = api.upload(api.person("lina"), "hr")
    path = f"/v1/documents/{made['document_id']}/versions"
    with api.database.begin() as connection:
        versions.store_text(
            connection,
            made["document_id"],
            1,
            StoredText("年假五天。", ()),
            media_type="text/plain",
            title="t",
            language="zh",
            pages=None,
            element_counts={"text": 1},
        )
    version = api.person("wang").get(f"{path}/1").json()
    assert (version["text"], version["language"], version["element_counts"]) == ("年假五天。", "zh", {"text": 1})
    assert api.person("wang").get(f"{path}/1/chunks").json() == {"items": [], "next_cursor": None}
    for number in ("0", "2", "-1", "99999999999999999999"):
        missing = api.person("wang").get(f"{path}/{number}")
        assert (missing.status_code, missing.json()["code"]) == (404, "version_not_found")


def test_documents_are_listed_filtered_and_paged(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = [api.upload(lina, "hr", str(n).encode(), title=f"Report {n}")["document_id"] for n in range(5)]
    with api.database.begin() as connection:
        documents.update(connection, made[0], title="年度 100%_总结")
    ids = [item["id"] for item in lina.get("/v1/documents", params={"space": "hr"}).json()["items"]]
    assert ids == made[::-1]
    first = lina.get("/v1/documents", params={"limit": 2}).json()
    rest = lina.get("/v1/documents", params={"limit": 5, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    count = lambda **params: len(lina.get("/v1/documents", params=params).json()["items"])  # noqa: E731
    assert count(q="report") == 4
    assert count(q="%_总") == 1
    assert count(status="pending") == 5
    assert count(status="indexed") == 0
    assert lina.get("/v1/documents", params={"status": "lost"}).json()["code"] == "validation_failed"
    assert lina.get("/v1/documents", params={"space": "nowhere"}).json()["code"] == "space_not_found"
    assert lina.get("/v1/documents", params={"q": "a\x00b"}).status_code == 422


def test_a_change_acts_at_once_and_restamps_only_when_rows_carry_it(api: Api, hr: str) -> None:
    lina = api.person("lina")
    document = api.upload(lina, "hr")["document_id"]
    path = f"/v1/documents/{document}"
    renamed = lina.patch(path, json={"title": "新", "tags": ["a", "b", "a"], "metadata": {"k": [1]}}).json()
    assert (renamed["title"], renamed["tags"], renamed["metadata"], renamed["job_id"]) == (
        "新",
        ["a", "b"],
        {"k": [1]},
        None,
    )
    levelled = lina.patch(path, json={"classification": "public"}).json()
    with api.database.begin() as connection:
        job = jobs.get(connection, levelled["job_id"])
        assert job is not None
        assert (job.kind, job.document_id) == ("restamp", document)
    assert lina.patch(path, json={"classification": "public"}).json()["job_id"] is None
    assert lina.patch(path, json={"effective_from": "2026-01-01T00:00:00Z"}).status_code == 200
    early = lina.patch(path, json={"effective_to": "2025-01-01T00:00:00Z"})
    assert (early.status_code, early.json()["code"]) == (422, "effective_dates")
    assert lina.patch(path, json={"effective_from": None}).json()["effective_from"] is None
    assert lina.patch(path, json={"title": "x"}, headers={"If-Match": '"9"'}).status_code == 412
    assert lina.patch(path, json={"titel": "x"}).json()["errors"][0]["loc"] == ["body", "titel"]


def test_a_deleted_document_is_gone_at_once_and_its_external_id_is_free(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = api.upload(lina, "hr", external_id="a")
    path = f"/v1/documents/{made['document_id']}"
    assert lina.delete(path).status_code == 204
    for gone in (lina.get(path), lina.delete(path), lina.get(f"{path}/versions/1/content")):
        assert (gone.status_code, gone.json()["code"]) == (404, "document_not_found")
    assert lina.get("/v1/documents").json()["items"] == []
    kinds = lambda client: [job["kind"] for job in client.get("/v1/jobs").json()["items"]]  # noqa: E731
    assert kinds(api.admin) == ["withdraw", "ingest"]
    assert kinds(lina) == []
    assert api.upload(lina, "hr", external_id="a")["document_id"] != made["document_id"]
    kept = api.admin.delete("/v1/spaces/hr")
    assert (kept.status_code, kept.json()["code"]) == (409, "space_not_empty")


def test_an_administrator_without_a_role_does_not_upload_over_a_document(api: Api, hr: str) -> None:
    made = api.upload(api.person("lina"), "hr", b"secret", external_id="deals/acme.pdf", title="t")
    for content in (b"secret", b"other"):  # whether the bytes are the same is not told either
        refused = api.admin.post(
            "/v1/documents",
            data={"space": "hr", "external_id": "deals/acme.pdf", "classification": "public"},
            files={"file": ("n.txt", content)},
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "external_id_taken")
    kept = api.person("lina").get(f"/v1/documents/{made['document_id']}").json()
    assert (kept["classification"], kept["title"], kept["latest_version"]) == ("internal", "t", 1)


def test_external_ids_of_a_space_are_not_probed_from_one_document(api: Api, hr: str) -> None:
    lina, guest = api.person("lina"), api.person("guest")
    api.upload(lina, "hr", external_id="deals/acme.pdf")
    path = f"/v1/documents/{api.upload(lina, 'hr', b'shared')['document_id']}"
    policy = {"allow": [{"principal": f"user:{who}", "role": "editor"} for who in ("guest", "lina")]}
    api.admin.put(f"{path}/policy", json=policy).raise_for_status()
    answers = [guest.patch(path, json={"external_id": wanted}) for wanted in ("deals/acme.pdf", "deals/none.pdf")]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "forbidden")] * 2
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert guest.patch(path, json={"title": "new"}).status_code == 200
    assert lina.patch(path, json={"external_id": "deals/acme.pdf"}).json()["code"] == "external_id_taken"
    assert lina.patch(path, json={"external_id": "deals/none.pdf"}).status_code == 200


def test_the_ledger_adds_up(api: Api, hr: str) -> None:
    lina = api.person("lina")
    for number in range(3):
        api.upload(lina, "hr", str(number).encode())
    ledger = lina.get("/v1/ledger", params={"space": "hr", "limit": 2}).json()
    assert ledger["totals"] == {"received": 3, "indexed": 0, "skipped": 0, "failed": 0, "pending": 3}
    assert ledger["spaces"] == [{"space": "hr", **ledger["totals"]}]
    rest = lina.get("/v1/ledger", params={"cursor": ledger["next_cursor"]}).json()
    assert len(ledger["items"] + rest["items"]) == 3
    assert json.dumps(ledger["items"][0]["received_at"])
    assert api.person("outsider").get("/v1/ledger").json()["totals"]["received"] == 0


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_cannot_be_read_back_is_refused(api: Api, hr: str, moment: str) -> None:
    lina = api.person("lina")
    form = {"space": "hr", "effective_from": moment}
    refused = lina.post("/v1/documents", data=form, files={"file": ("a.txt", b"x")})
    assert refused.json()["errors"][0]["loc"] == ["body", "effective_from"]
    path = f"/v1/documents/{api.upload(lina, 'hr')['document_id']}"
    assert lina.patch(path, json={"effective_to": moment}).status_code == 422
    key = {"user": "lina", "name": "k", "expires_at": moment}
    assert api.admin.post("/v1/api-keys", json=key).status_code == 422
    assert lina.post("/v1/search", json={"query": "?", "as_of": moment}).json()["code"] == "invalid_as_of"
    assert lina.get("/v1/documents").status_code == 200


def test_times_are_answered_in_utc(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = api.upload(lina, "hr", effective_from="2026-01-01T08:00:00+08:00")
    assert lina.get(f"/v1/documents/{made['document_id']}").json()["effective_from"] == "2026-01-01T00:00:00Z"


def test_a_downloaded_text_is_not_claimed_to_be_utf8(api: Api, hr: str) -> None:
    lina = api.person("lina")
    made = api.upload(lina, "hr", "年假".encode("gbk"))
    served = lina.get(f"/v1/documents/{made['document_id']}/versions/1/content")
    assert served.headers["content-type"] == "text/plain"
    assert served.content == "年假".encode("gbk")


def test_lists_are_narrowed_to_a_space_in_which_one_document_is_shared(api: Api, hr: str) -> None:
    lina, guest = api.person("lina"), api.person("guest")
    shared, kept = (api.upload(lina, "hr", content)["document_id"] for content in (b"a", b"b"))
    assert guest.get("/v1/documents", params={"space": "hr"}).status_code == 404
    policy = {"allow": [{"principal": "user:guest", "role": "reader"}]}
    api.admin.put(f"/v1/documents/{shared}/policy", json=policy).raise_for_status()
    for narrowed in ("hr", hr):
        listed = guest.get("/v1/documents", params={"space": narrowed}).json()["items"]
        assert [document["id"] for document in listed] == [shared]
        counted = guest.get("/v1/ledger", params={"space": narrowed}).json()
        assert [item["document_id"] for item in counted["items"]] == [shared]
        assert counted["totals"]["received"] == 1
    assert guest.get("/v1/spaces/hr").status_code == 404
    assert guest.get(f"/v1/documents/{kept}").status_code == 404
