"""What is held about a person: the copy of it, and that nothing is left after its erasure."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from kbcore.domain.document import Classification
from kbcore.metadata import idempotency, users
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.idempotency import Answer
from kbcore.metadata.tables import audit_events, golden_sets, identities, known_places, metadata
from kbcore.signing import verify
from services.auth.api_keys import issue_key
from services.cli.main import build
from tests.integration.asking import Desk

NAME, MAIL, WORD = "zebedee.quux", "zebedee@quux.example", "flibbertigibbet"
QUESTION = "年假可以结转吗？"
PAY = "P5 级工程师的月薪范围是多少？"


@pytest.fixture
def admin(desk: Desk) -> Iterator[httpx.Client]:
    """An administrator who reads the public space only."""
    yield from _client(desk, "admin", is_admin=True)


@pytest.fixture
def person(desk: Desk) -> Iterator[httpx.Client]:
    """Somebody of HR, whose name and address are rare words."""
    for client in _client(desk, NAME, "hr"):
        with desk.corpus.platform.database.begin() as connection:
            users.update_user(
                connection, desk.people[NAME].user_id, {"email": MAIL, "display_name": f"Zebedee {WORD.title()}"}
            )
        yield client


def _client(desk: Desk, name: str, *groups: str, is_admin: bool = False) -> Iterator[httpx.Client]:
    caller = desk.corpus.person(name, *groups, clearance=Classification.RESTRICTED, is_admin=is_admin)
    with desk.corpus.platform.database.begin() as connection:
        desk.keys[name] = issue_key(connection, user_id=caller.user_id, name="test").token
        desk.people[name] = resolve_caller(connection, caller.user_id) or caller
    with desk.client(name) as client:
        yield client


def execute(desk: Desk, statement: str, **values: object) -> None:
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(sa.text(statement), values)


def leave_marks(desk: Desk, person: httpx.Client, admin: httpx.Client) -> None:
    """Everything that a person may leave behind."""
    user_id = desk.people[NAME].user_id
    answer = person.post("/v1/ask", json={"question": f"{WORD}：{QUESTION}"}).raise_for_status().json()
    person.post(
        "/v1/feedback", json={"trace_id": answer["trace_id"], "rating": 1, "comment": f"{WORD} indeed"}
    ).raise_for_status()
    person.post("/v1/search", json={"query": f"{WORD} hotel"}).raise_for_status()
    admin.put(
        "/v1/spaces/public/policy",
        json={
            "allow": [{"principal": "everyone", "role": "reader"}, {"principal": f"user:{NAME}", "role": "editor"}],
            "deny": [],
        },
        headers={"Idempotency-Key": "grants"},
    ).raise_for_status()
    travel = desk.documents["travel"]
    own = {"allow": [{"principal": f"user:{NAME}", "role": "reader"}], "deny": []}
    admin.put(f"/v1/documents/{travel}/policy", json=own).raise_for_status()
    execute(desk, "UPDATE versions SET comment = :words, created_by = :id", words=f"{WORD}, {NAME}", id=user_id)
    with desk.corpus.platform.database.begin() as connection:
        connection.execute(
            identities.insert().values(
                issuer="https://i.example", subject=MAIL, user_id=user_id, issued_at=sa.func.now()
            )
        )
        connection.execute(known_places.insert().values(user_id=user_id, kind="address", value="0" * 32))
        other = desk.people["employee"].user_id
        questions = [
            {"id": "1", "question": f"{WORD}?", "user_id": user_id, "documents": []},
            {"id": "2", "question": "hotel?", "user_id": other, "documents": [travel]},
        ]
        connection.execute(golden_sets.insert().values(id="g", name="g", questions=questions, created_by=user_id))
        idempotency.remember(connection, user_id, "own", b"hash", Answer(200, {"answer": WORD}))


def words_left(desk: Desk) -> list[str]:
    """Every column of every table that still has one of the person's words."""
    left = []
    with desk.corpus.platform.database.begin() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                for column, value in row._mapping.items():
                    if any(word in str(value).lower() for word in ("zebedee", "quux", WORD)):
                        left.append(f"{table.name}.{column}")
    return left


def test_nothing_of_a_person_is_left(desk: Desk, admin: httpx.Client, person: httpx.Client, tmp_path: Path) -> None:
    leave_marks(desk, person, admin)
    assert set(words_left(desk)) >= {
        "users.name", "users.email", "users.display_name", "turns.question", "conversations.title", "traces.question",
        "feedback.comment", "golden_sets.questions", "idempotency.body", "identities.subject", "versions.comment",
    }  # fmt: skip
    user_id = desk.people[NAME].user_id
    receipt = admin.post(f"/v1/users/{NAME}/erase").raise_for_status().json()
    assert words_left(desk) == []
    assert verify(receipt)
    assert not verify({**receipt, "user_id": desk.people["employee"].user_id})
    assert receipt["user_id"] == user_id
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt), encoding="utf-8")
    arguments = ["verify-certificate", str(file), "--key", receipt["public_key"]]
    said = CliRunner().invoke(build(arguments), arguments)
    assert (said.exit_code, user_id in said.output) == (0, True)
    counted = {name: count for name, count in receipt["removed"].items() if count}
    assert counted == {
        "conversations": 1, "turns": 1, "feedback": 1, "traces": 2, "identities": 1, "keys": 1, "known_places": 1,
        "golden_questions": 1, "comments_of_versions": 3, "memberships": 1, "grants": 2, "replies": 2,
        "usage": 1,
    }  # fmt: skip
    assert person.post("/v1/search", json={"query": "hotel"}).status_code == 401
    assert admin.post(f"/v1/users/{user_id}/erase").status_code == 404
    with desk.corpus.platform.database.begin() as connection:
        questions = connection.execute(sa.select(golden_sets.c.questions)).scalar_one()
        said = connection.execute(
            sa.select(audit_events.c.actor, audit_events.c.detail).where(audit_events.c.kind == "person.erased")
        ).one()
        kept = connection.execute(sa.select(sa.func.count()).where(audit_events.c.actor == user_id)).scalar_one()
    assert [question["id"] for question in questions] == ["2"]
    assert (said.actor, said.detail["user"]) == (desk.people["admin"].user_id, user_id)
    assert kept > 0, "the audit log keeps what was done, under the id"


def test_an_answer_that_is_being_written_is_not_kept_for_somebody_erased(
    desk: Desk, admin: httpx.Client, person: httpx.Client
) -> None:
    desk.chat.answer = "员工入职满一年后享有五天年假。[1]" * 20
    body = {"question": f"{WORD}：{QUESTION}", "model": "slow", "stream": True}
    with person.stream("POST", "/v1/ask", json=body) as response:
        lines = response.iter_lines()
        next(lines)
        admin.post(f"/v1/users/{NAME}/erase").raise_for_status()
        rest = "\n".join(lines)
    assert '"code": "access_changed"' in rest
    assert "event: done" not in rest
    assert words_left(desk) == []


def test_who_may_erase_whom(desk: Desk, admin: httpx.Client, person: httpx.Client) -> None:
    own = admin.post(f"/v1/users/{desk.people['admin'].user_id}/erase")
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    assert person.post("/v1/users/admin/erase").status_code == 403
    assert admin.post("/v1/users/nobody/erase").json()["code"] == "user_not_found"


def test_a_person_gets_all_that_is_held_about_it(desk: Desk, admin: httpx.Client, person: httpx.Client) -> None:
    leave_marks(desk, person, admin)
    copy = person.get("/v1/users/me/export").raise_for_status().json()
    assert (copy["user"]["name"], copy["user"]["email"]) == (NAME, MAIL)
    assert [group["name"] for group in copy["groups"]] == ["hr"]
    assert [key["name"] for key in copy["keys"]] == ["test"]
    assert copy["identities"][0]["subject"] == MAIL
    (thread,) = copy["conversations"]
    assert thread["turns"][0]["answer"]
    assert copy["feedback"][0]["comment"] == f"{WORD} indeed"
    assert [each["question"] for each in copy["traces"]] == [f"{WORD}：{QUESTION}", f"{WORD} hotel"]
    assert {grant["space"] or grant["document_id"] for grant in copy["grants"]} == {
        "public", desk.documents["travel"],
    }  # fmt: skip
    assert {"search.retrieved", "answer.given"} <= {record["kind"] for record in copy["audit"]}
    assert (copy["next_traces_after"], copy["next_audit_after"]) == (None, None)
    assert person.get(f"/v1/users/{NAME}/export").status_code == 403
    last = copy["audit"][-1]["seq"]
    later = person.get("/v1/users/me/export", params={"audit_after": last}).json()
    assert [record["kind"] for record in later["audit"]] == ["person.exported", "request.refused"]


def test_an_export_shows_no_more_than_both_may_read(desk: Desk, admin: httpx.Client, person: httpx.Client) -> None:
    asked = person.post("/v1/ask", json={"question": PAY}).raise_for_status().json()
    assert "18,000" in asked["answer"]
    person.post(
        "/v1/feedback", json={"trace_id": asked["trace_id"], "rating": 1, "comment": "18,000 it is"}
    ).raise_for_status()
    exported = admin.get(f"/v1/users/{NAME}/export").raise_for_status()
    (turn,) = exported.json()["conversations"][0]["turns"]
    assert (turn["answer"], turn["reason"], turn["question"]) == (None, "access_withdrawn", "")
    for hidden in ("18,000", "P5", "薪酬", desk.documents["salary"]):
        assert hidden not in exported.text
    found = next(record for record in exported.json()["audit"] if record["kind"] == "search.retrieved")
    assert found["withheld"] == 1
    assert "18,000" in person.get("/v1/users/me/export").text
    desk.corpus.leave(desk.people[NAME], "hr")
    after = person.get("/v1/users/me/export").raise_for_status()
    assert after.json()["conversations"][0]["turns"][0]["question"] == PAY
    assert after.json()["conversations"][0]["turns"][0]["reason"] == "access_withdrawn"
    assert desk.documents["salary"] not in after.text


def test_a_denial_on_something_hidden_is_not_told_to_whom_it_denies(
    desk: Desk, admin: httpx.Client, person: httpx.Client
) -> None:
    admin.post("/v1/spaces", json={"name": "board"}).raise_for_status()
    policy = {"allow": [], "deny": [f"user:{NAME}"]}
    admin.put("/v1/spaces/board/policy", json=policy).raise_for_status()
    assert "board" not in person.get("/v1/users/me/export").text
    assert {"role": None, "space": "board"}.items() <= admin.get(f"/v1/users/{NAME}/export").json()["grants"][0].items()
