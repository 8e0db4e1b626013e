"""Histories over HTTP: what is said with an upload, comparing, going back, correcting; without any worker."""

from typing import Any

import httpx
import pytest

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.domain.document import Version, VersionState
from kbcore.metadata import documents, jobs, versions
from tests.api_server import Api


@pytest.fixture
def lina(api: Api) -> httpx.Client:
    """An editor of the space hr."""
    lina = api.person("lina")
    api.space("hr", lina="editor")
    return lina


def as_if_indexed(api: Api, document_id: str, number: int, *paragraphs: str) -> None:
    """What the worker does, without an index."""
    spans, at = [], 0
    for text in paragraphs:
        spans.append(Span(ElementKind.TEXT, at, at + len(text), 1))
        at += len(text) + 2
    with api.database.begin() as connection:
        versions.store_text(
            connection,
            document_id,
            number,
            StoredText("\n\n".join(paragraphs), tuple(spans)),
            media_type="text/plain",
            title="t",
            language="zh",
            pages=None,
            element_counts={},
        )
        versions.restate(connection, document_id, number, state=VersionState.INDEXED)
        documents.update(connection, document_id, version=number)


def kept(api: Api, document_id: str, number: int) -> Version:
    with api.database.begin() as connection:
        version = versions.get(connection, document_id, number)
    assert version is not None
    return version


def history(client: httpx.Client, document_id: str) -> dict[int, dict[str, Any]]:
    items = client.get(f"/v1/documents/{document_id}/versions").raise_for_status().json()["items"]
    return {item["number"]: item for item in items}


def test_what_an_upload_says_is_of_its_version_and_what_it_does_not_say_is_inherited(
    api: Api, lina: httpx.Client
) -> None:
    said = {"tags": "a", "source": "share", "source_uri": "file:///s/a.txt", "comment": "first"}
    made = api.upload(lina, "hr", b"one", external_id="a", metadata='{"k": 1}', **said)
    as_if_indexed(api, made["document_id"], 1, "一")
    api.upload(lina, "hr", b"two", external_id="a", title="Two", tags="b", effective_from="2030-01-01T00:00:00Z")
    found = history(lina, made["document_id"])
    assert [(found[n]["tags"], found[n]["metadata"], found[n]["effective_from"]) for n in (1, 2)] == [
        (["a"], {"k": 1}, None), (["b"], {"k": 1}, "2030-01-01T00:00:00Z"),
    ]  # fmt: skip
    assert [(found[n]["comment"], found[n]["source_uri"], found[n]["title"]) for n in (1, 2)] == [
        ("first", "file:///s/a.txt", "t"), (None, None, "Two"),
    ]  # fmt: skip
    assert [(found[n]["origin"], found[n]["based_on"], found[n]["current"]) for n in (1, 2)] == [
        ("upload", None, True), ("upload", None, False),
    ]  # fmt: skip
    shown = lina.get(f"/v1/documents/{made['document_id']}").json()
    assert (shown["source"], shown["title"], shown["sha256"]) == ("share", "note", found[2]["sha256"])


def test_new_content_says_why_in_the_address_or_in_a_form(api: Api, lina: httpx.Client) -> None:
    path = f"/v1/documents/{api.upload(lina, 'hr', b'one')['document_id']}"
    lina.put(f"{path}/content", content=b"two", params={"comment": "由法务修订"}).raise_for_status()
    lina.put(f"{path}/content", files={"file": ("a.txt", b"three")}, data={"comment": "form"}).raise_for_status()
    found = history(lina, path.rpartition("/")[2])
    assert [found[n]["comment"] for n in (1, 2, 3)] == [None, "由法务修订", "form"]
    long = lina.put(f"{path}/content", files={"file": ("a.txt", b"four")}, data={"comment": "x" * 2001})
    assert long.json()["code"] == "validation_failed"


def test_the_same_bytes_with_other_tags_are_a_version_of_their_own(api: Api, lina: httpx.Client) -> None:
    made = api.upload(lina, "hr", b"one", external_id="a", tags="a")
    as_if_indexed(api, made["document_id"], 1, "一")
    assert api.upload(lina, "hr", b"one", external_id="a", tags="a")["unchanged"] is True
    changed = api.upload(lina, "hr", b"one", external_id="a", tags="b", comment="why")
    assert (changed["version"], changed["unchanged"]) == (2, False)
    version = kept(api, made["document_id"], 2)
    assert (version.origin, version.based_on, version.tags, version.comment) == ("metadata", 1, ("b",), "why")
    assert lina.get(f"/v1/documents/{made['document_id']}/versions/2").json()["text"] == "一"


def test_a_change_of_an_indexed_document_is_a_version(api: Api, lina: httpx.Client) -> None:
    document = api.upload(lina, "hr")["document_id"]
    as_if_indexed(api, document, 1, "一")
    path = f"/v1/documents/{document}"
    changed = lina.patch(path, json={"title": "新", "comment": "更名"}, headers={"If-Match": '"1"'}).json()
    assert (changed["title"], changed["version"], changed["latest_version"]) == ("新", 1, 2)
    with api.database.begin() as connection:
        job = jobs.get(connection, changed["job_id"])
    assert job is not None
    assert (job.kind, job.version) == ("ingest", 2)
    assert history(lina, document)[2]["comment"] == "更名"
    lina.patch(path, json={"tags": ["x"]}).raise_for_status()  # version 2 is on its way
    assert (history(lina, document)[2]["tags"], history(lina, document)[1]["tags"]) == (["x"], [])
    assert lina.patch(path, json={"tags": ["y"]}, headers={"If-Match": '"1"'}).status_code == 412


def test_an_external_id_can_move_but_not_onto_another(api: Api, lina: httpx.Client) -> None:
    document = api.upload(lina, "hr", b"a", external_id="old/a.txt")["document_id"]
    api.upload(lina, "hr", b"b", external_id="b.txt")
    path = f"/v1/documents/{document}"
    moved = lina.patch(path, json={"external_id": "new/a.txt"}).json()
    assert (moved["external_id"], moved["latest_version"], moved["job_id"]) == ("new/a.txt", 1, None)
    taken = lina.patch(path, json={"external_id": "b.txt"})
    assert (taken.status_code, taken.json()["code"]) == (409, "external_id_taken")
    assert lina.patch(path, json={"external_id": "new/a.txt"}).status_code == 200
    assert lina.patch(path, json={"external_id": None}).json()["external_id"] is None


def test_two_versions_are_compared(api: Api, lina: httpx.Client) -> None:
    document = api.upload(lina, "hr", b"one")["document_id"]
    path = f"/v1/documents/{document}"
    unread = lina.get(f"{path}/versions/1/diff/1")
    assert (unread.status_code, unread.json()["code"]) == (409, "version_without_text")
    as_if_indexed(api, document, 1, "总则", "员工每年享有五天带薪年假。", "附则")
    lina.put(f"{path}/content", content=b"two").raise_for_status()
    as_if_indexed(api, document, 2, "总则", "员工每年享有十天带薪年假。", "附则", "自公布之日起施行。")
    found = lina.get(f"{path}/versions/1/diff/2").json()
    assert (found["from"], found["to"]) == (1, 2)
    assert found["summary"] == {"added": 1, "removed": 0, "changed": 1, "moved": 0, "unchanged": 2}
    changed, added = found["changes"]
    assert changed["before"] == {"start": 4, "end": 17, "text": "员工每年享有五天带薪年假。", "page": 1, "heading": []}
    assert (added["kind"], added["before"], added["after"]["text"]) == ("added", None, "自公布之日起施行。")
    assert lina.get(f"{path}/versions/1/diff/3").json()["code"] == "version_not_found"
    assert lina.get(f"{path}/versions/0/diff/1").json()["code"] == "version_not_found"


def test_going_back_and_correcting(api: Api, lina: httpx.Client) -> None:
    document = api.upload(lina, "hr", b"one", tags="a")["document_id"]
    path = f"/v1/documents/{document}"
    as_if_indexed(api, document, 1, "一", "二")
    same = lina.post(f"{path}/rollback", json={"to": 1})
    assert (same.status_code, same.json()["unchanged"]) == (200, True)
    edited = lina.put(f"{path}/text", json={"text": "一\n\n三", "comment": "typo"}, headers={"If-Match": '"1"'})
    assert (edited.status_code, edited.json()["version"]) == (202, 2)
    waiting = lina.put(f"{path}/text", json={"text": "四"})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "version_in_progress")
    assert lina.put(f"{path}/text", json={"text": "四"}, headers={"If-Match": '"1"'}).status_code == 412
    assert lina.post(f"{path}/reparse").json()["code"] == "version_in_progress"
    back = lina.post(f"{path}/rollback", json={"to": 1, "comment": "undo"})
    assert (back.status_code, back.json()["version"]) == (202, 3)
    found = history(lina, document)
    assert [(found[n]["origin"], found[n]["based_on"], found[n]["comment"]) for n in (2, 3)] == [
        ("edit", 1, "typo"), ("rollback", 1, "undo"),
    ]  # fmt: skip
    assert found[3]["sha256"] == found[1]["sha256"]
    assert lina.post(f"{path}/rollback", json={"to": 9}).json()["code"] == "version_not_found"
    assert lina.put(f"{path}/text", json={"text": "a\x00"}).json()["code"] == "validation_failed"


def test_correcting_needs_something_indexed_and_something_written(api: Api, lina: httpx.Client) -> None:
    document = api.upload(lina, "hr", b"one")["document_id"]
    path = f"/v1/documents/{document}"
    with api.database.begin() as connection:
        versions.restate(connection, document, 1, state=VersionState.FAILED)
    assert lina.post(f"{path}/reparse").json()["code"] == "nothing_indexed"
    as_if_indexed(api, document, 1, "一")
    assert lina.put(f"{path}/text", json={"text": " \r\n "}).json()["code"] == "empty_text"
    assert lina.put(f"{path}/text", json={"text": "一"}).json()["unchanged"] is True
    read = lina.post(f"{path}/reparse", json={"comment": "new loader"})
    assert (read.status_code, history(lina, document)[2]["origin"]) == (202, "reparse")


def test_a_corrected_text_is_read_only_from_who_may_correct_it(api: Api) -> None:
    """It may be large: whoever may not send it is answered before any of it is looked at."""
    lina, wang = api.person("lina"), api.person("wang")
    api.space("hr", lina="editor", wang="reader")
    path = f"/v1/documents/{api.upload(lina, 'hr')['document_id']}/text"
    broken = {"content": b'{"text": "' + b"x" * 1_500_000, "headers": {"content-type": "application/json"}}
    clients = (api.client(), api.person("outsider"), wang, lina)
    assert [client.put(path, **broken).status_code for client in clients] == [401, 404, 403, 400]
    assert lina.put(path, **broken).json()["code"] == "invalid_json"
    large = lina.put(path, json={"text": "x" * 2_000_000})
    assert (large.status_code, large.json()["code"]) == (413, "payload_too_large")
    assert lina.put(path, content=b"text").json()["code"] == "unsupported_media_type"
    latin = lina.put(path, content='{"text": "é"}'.encode("latin-1"), headers={"content-type": "application/json"})
    assert (latin.status_code, latin.json()["code"]) == (400, "invalid_json")
    assert lina.put(path, json={"text": 1}).json()["errors"][0]["loc"] == ["body", "text"]
