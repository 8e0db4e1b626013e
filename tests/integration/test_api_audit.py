"""Reading and verifying the audit log over HTTP and from the command line, and what changes of rights say there."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from kbcore.audit.head_file import HeadFile
from kbcore.metadata import users
from services.auth.first_admin import local_key
from services.cli.main import build
from tests.api_server import Api
from tests.integration.auditing import tampering

WAITING = sa.text("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")


def events(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """The records that a query finds, newest first."""
    return list(client.get("/v1/audit", params={"limit": 200, **query}).raise_for_status().json()["items"])


def only(client: httpx.Client, kind: str) -> dict[str, Any]:
    (found,) = events(client, kind=kind)
    return found


@pytest.fixture(autouse=True)
def heads(api: Api, tmp_path: Path) -> Iterator[HeadFile]:
    """An empty store of heads: those of another test are of another log."""
    store = HeadFile(tmp_path / "heads")
    api.platform.__dict__["audit_heads"] = store
    yield store
    del api.platform.__dict__["audit_heads"]


def test_a_policy_change_says_before_and_after_by_ids(api: Api) -> None:
    api.person("lina")
    space = api.space("hr", lina="reader")
    lina = api.admin.get("/v1/users/lina").json()["id"]
    grant = {"principal": "user:lina", "role": "editor", "effective_to": "2030-01-01T08:00:00+08:00"}
    api.admin.put("/v1/spaces/hr/policy", json={"allow": [grant], "deny": ["everyone"]}).raise_for_status()
    latest = events(api.admin, kind="policy.changed")[0]
    unbounded = {"effective_from": None, "effective_to": None}
    assert latest["detail"]["space"] == space
    assert latest["detail"]["before"]["entries"] == [{"principal": f"user:{lina}", "role": "reader", **unbounded}]
    assert latest["detail"]["after"]["entries"] == [
        {"principal": "everyone", "role": None, **unbounded},
        {**unbounded, "principal": f"user:{lina}", "role": "editor", "effective_to": "2030-01-01T00:00:00+00:00"},
    ]
    assert latest["actor_name"] == "admin"
    done = events(api.admin, kind="request.done", trace=latest["trace_id"])
    assert [(one["detail"]["method"], one["detail"]["route"]) for one in done] == [("PUT", "/v1/spaces/{space}/policy")]


def test_a_document_gets_and_loses_its_own_policy(api: Api) -> None:
    api.person("lina")
    api.space("hr", admin="manager")
    document = api.upload(api.admin, "hr")["document_id"]
    policy = {"allow": [{"principal": "user:admin", "role": "manager"}]}
    api.admin.put(f"/v1/documents/{document}/policy", json=policy).raise_for_status()
    api.admin.put(f"/v1/documents/{document}/policy", json=policy).raise_for_status()  # changes nothing
    api.admin.delete(f"/v1/documents/{document}/policy").raise_for_status()
    back, given = events(api.admin, kind="policy.changed", document=document)
    assert given["detail"]["before"] is None
    assert given["detail"]["after"] == back["detail"]["before"]
    assert back["detail"]["after"] is None


def test_people_groups_and_keys(api: Api) -> None:
    admin = api.admin
    user = admin.post("/v1/users", json={"name": "wang"}).json()["id"]
    admin.patch("/v1/users/wang", json={"display_name": "Wang"}).raise_for_status()  # no right changes
    admin.patch("/v1/users/wang", json={"clearance": "public", "active": False}).raise_for_status()
    admin.post("/v1/groups", json={"name": "hr"}).raise_for_status()
    group = admin.get("/v1/groups/hr").json()["id"]
    for _ in range(2):
        admin.post("/v1/groups/hr/members", json={"members": ["user:wang"]}).raise_for_status()
    admin.delete("/v1/groups/hr/members/user:wang").raise_for_status()
    key = admin.post("/v1/api-keys", json={"user": "wang", "name": "k"}).json()["id"]
    admin.delete(f"/v1/api-keys/{key}").raise_for_status()
    admin.delete("/v1/users/wang").raise_for_status()

    gone, changed, made = events(admin, kind="user.changed")
    assert made["detail"]["before"] is None
    assert changed["detail"]["before"] == made["detail"]["after"]
    after = changed["detail"]["after"]
    assert (after["clearance"], after["active"], changed["detail"]["user"]) == ("public", False, user)
    assert gone["detail"]["after"] is None
    left, joined = events(admin, kind="membership.changed")
    assert joined["detail"] == {"group": group, "added": [f"user:{user}"], "removed": []}
    assert left["detail"] == {"group": group, "added": [], "removed": [f"user:{user}"]}
    assert (only(admin, "key.made")["detail"]["key"], only(admin, "key.revoked")["detail"]["key"]) == (key, key)
    assert "wang" not in json.dumps(events(admin))


def test_a_change_that_waited_for_another_does_not_say_that_it_made_that_one(api: Api) -> None:
    api.person("lina")
    lina = api.admin.get("/v1/users/lina").json()["id"]
    with ThreadPoolExecutor(1) as pool:
        with api.database.begin() as connection:
            users.update_user(connection, lina, {"is_auditor": True})
            waiting = pool.submit(api.admin.patch, "/v1/users/lina", json={"clearance": "public"})
            with api.database.begin() as other:
                while not other.execute(WAITING).scalar_one():
                    time.sleep(0.01)
        waiting.result(30).raise_for_status()
    told = events(api.admin, kind="user.changed")[0]["detail"]
    assert (told["before"]["is_auditor"], told["after"]["is_auditor"]) == (True, True)
    assert told["before"]["clearance"] != told["after"]["clearance"] == "public"


def test_a_replay_is_told_from_the_first_time(api: Api) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "once"}
        api.admin.post("/v1/users", json={"name": "wang"}, headers=headers).raise_for_status()
    only(api.admin, "request.done")
    assert only(api.admin, "request.replayed")["detail"]["status"] == 201


def test_reads_are_found_by_document_and_person(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", lina="reader", admin="editor")
    document = api.upload(api.admin, "hr")["document_id"]
    other = api.upload(api.admin, "hr", b"another text")["document_id"]
    for path in ("", "/versions", "/versions/1", "/versions/1/content", "/versions/1/chunks", "/versions/1/ledger"):
        lina.get(f"/v1/documents/{document}{path}").raise_for_status()
    lina.get("/v1/documents").raise_for_status()
    lina.get("/v1/ledger").raise_for_status()
    reads = events(api.admin, kind="document.read", actor="lina", document=document)
    assert [one["detail"]["what"] for one in reads] == ["pages", "chunks", "bytes", "text", "history", "properties"]
    assert reads[2]["detail"] == {"what": "bytes", "version": "1"}
    listed = events(api.admin, kind="documents.listed", actor="lina")
    assert [set(one["documents"]) for one in listed] == [{document, other}] * 2
    assert {one["kind"] for one in events(api.admin, document=other)} == {"request.done", "documents.listed"}


def test_a_refusal_says_what_was_refused(api: Api) -> None:
    lina = api.person("lina")
    api.space("hr", admin="editor")
    document = api.upload(api.admin, "hr")["document_id"]
    assert lina.get(f"/v1/documents/{document}").status_code == 404
    assert lina.get("/v1/users/somebody.by.name").status_code == 403
    assert lina.get("/v1/spaces/a.secret.name").status_code == 404
    hidden, forbidden, first = events(api.admin, kind="request.refused")
    assert first["documents"] == [document]
    assert first["detail"]["code"] == "document_not_found"
    assert (forbidden["detail"]["code"], forbidden["detail"]["path"]) == ("forbidden", {"user": None})
    assert (hidden["detail"]["code"], hidden["detail"]["path"]) == ("space_not_found", {"space": None})


def test_pages_and_times(api: Api) -> None:
    for number in range(7):
        api.admin.post("/v1/groups", json={"name": f"g{number}"}).raise_for_status()
    first = api.admin.get("/v1/audit", params={"kind": "request.done", "limit": 4}).json()
    query = {"kind": "request.done", "limit": 4, "cursor": first["next_cursor"]}
    second = api.admin.get("/v1/audit", params=query).json()
    found = [*first["items"], *second["items"]]
    assert [one["seq"] for one in found] == sorted((one["seq"] for one in found), reverse=True)
    assert (len(found), second["next_cursor"]) == (7, None)
    middle = found[3]["at"]
    since = events(api.admin, kind="request.done", since=middle)
    until = events(api.admin, kind="request.done", until=middle)
    assert [one["seq"] for one in since] == [one["seq"] for one in found[:4]]
    assert [one["seq"] for one in until] == [one["seq"] for one in found[4:]]
    assert events(api.admin, until="1999-01-01T00:00:00Z") == []
    assert events(api.admin, since="2999-01-01T00:00:00Z") == []
    assert api.admin.get("/v1/audit", params={"cursor": "eA"}).status_code == 400
    assert api.admin.get("/v1/audit", params={"since": "yesterday"}).status_code == 422


def test_a_name_is_shown_while_its_user_is_there_and_the_id_stays(api: Api) -> None:
    lina = api.person("lina")
    lina.get("/v1/spaces").raise_for_status()
    (read,) = events(api.admin, actor="lina", kind="request")
    assert read["actor_name"] == "lina"
    api.admin.delete("/v1/users/lina").raise_for_status()
    (after,) = events(api.admin, actor=read["actor"], kind="request")
    assert (after["actor"], after["actor_name"]) == (read["actor"], None)
    assert events(api.admin, actor="lina") == []


def test_an_auditor_reads_and_verifies_but_manages_nothing(api: Api) -> None:
    auditor = api.person("auditor")
    assert auditor.get("/v1/audit").status_code == 403
    with api.database.begin() as connection:
        user = users.get_user(connection, "auditor")
        users.update_user(connection, user.id, {"is_auditor": True})
    assert auditor.get("/v1/audit").status_code == 200
    assert auditor.post("/v1/audit/verify").json()["ok"] is True
    assert auditor.get("/v1/users").status_code == 200
    assert auditor.post("/v1/users", json={"name": "somebody"}).status_code == 403


def test_a_verification_is_recorded_and_exports_the_head(api: Api, heads: HeadFile) -> None:
    api.space("hr")
    verdict = api.admin.post("/v1/audit/verify").raise_for_status().json()
    assert (verdict["ok"], verdict["first_broken"], verdict["heads_checked"]) == (True, None, 0)
    last = heads.last()
    assert last is not None
    assert last.seq == verdict["last_seq"] == verdict["records"]
    again = api.admin.post("/v1/audit/verify", json={"since_last_head": True}).raise_for_status().json()
    assert (again["ok"], again["records"], again["heads_checked"]) == (True, 1, 1)  # the record of the first time
    assert events(api.admin, kind="audit.verified")[1]["detail"]["records"] == verdict["records"]


def test_tampering_is_said_and_no_head_is_exported_of_it(api: Api, heads: HeadFile) -> None:
    api.space("hr")
    with tampering(api.database) as connection:
        connection.execute(sa.text("UPDATE audit_events SET actor = 'somebody' WHERE seq = 2"))
    verdict = api.admin.post("/v1/audit/verify").raise_for_status().json()
    assert (verdict["ok"], verdict["first_broken"]) == (False, {"seq": 2, "why": "changed"})
    assert heads.last() is None


def test_two_verifications_at_once_are_one_too_many(api: Api) -> None:
    with api.database.lock(0x5A484156):
        refused = api.admin.post("/v1/audit/verify")
    assert (refused.status_code, refused.json()["code"]) == (409, "verification_running")


def test_the_command_line_lists_and_verifies(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.space("hr")
    with api.database.begin() as connection:
        admin = users.get_user(connection, "admin")
    token = local_key(api.database, api.platform.audit, admin.id)
    monkeypatch.setenv("ZHIKU_URL", api.url)
    monkeypatch.setenv("ZHIKU_KEY", token)

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(build(list(arguments)), list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, " ".join(result.output.split())

    code, shown = run("audit", "list", "--kind", "policy.changed")
    assert (code, shown.count("policy.changed")) == (0, 2)
    made = json.loads(CliRunner().invoke(build(["audit"]), ["audit", "--kind", "key.made", "--json"]).output)
    assert made[0]["detail"]["where"] == "on the machine"
    code, shown = run("audit", "verify")
    assert (code, shown.startswith("unchanged: ")) == (0, True)
    with tampering(api.database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq = 3"))
    code, shown = run("audit", "verify")
    assert (code, "broken at record 3 (missing)" in shown) == (1, True)
