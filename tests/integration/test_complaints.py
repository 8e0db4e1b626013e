"""Complaints: who is shown them, whose words are shown to whom, and how they end."""

import sqlalchemy as sa

from kbcore.domain.principal import Caller
from services.auth.api_keys import issue_key
from tests.integration.asking import Desk


def _trusted(desk: Desk) -> dict[str, Caller]:
    """An administrator who reads nothing, and an auditor who reads what everybody does."""
    with desk.corpus.platform.database.begin() as connection:
        people = {name: desk.corpus.person(name) for name in ("chief", "watcher")}
        connection.execute(sa.text("UPDATE users SET is_admin = TRUE WHERE id = :id"), {"id": people["chief"].user_id})
        connection.execute(
            sa.text("UPDATE users SET is_auditor = TRUE WHERE id = :id"), {"id": people["watcher"].user_id}
        )
        for name, caller in people.items():
            desk.keys[name] = issue_key(connection, user_id=caller.user_id, name="test").token
    return people


def _complain(desk: Desk, person: str, question: str) -> tuple[str, str]:
    """The trace id and the complaint's."""
    with desk.client(person) as client:
        answer = client.post("/v1/ask", json={"question": question}).raise_for_status().json()
        body = {
            "trace_id": answer["trace_id"],
            "rating": -1,
            "reason": "wrong",
            "comment": "P5 是 30,000",
            "complaint": True,
        }
        given = client.post("/v1/feedback", json=body).raise_for_status().json()
        client.post("/v1/feedback", json={"trace_id": answer["trace_id"], "rating": 1}).raise_for_status()
    return answer["trace_id"], given["id"]


def test_words_are_shown_to_who_may_read_the_answers_sources(desk: Desk) -> None:
    _trusted(desk)
    trace, public = _complain(desk, "employee", "年假可以结转吗？")
    _, secret = _complain(desk, "hr", "P5 级工程师的月薪范围是多少？")
    with desk.client("watcher") as client:
        page = client.get("/v1/complaints").raise_for_status().json()
        assert [item["id"] for item in page["items"]] == [secret, public]
        hidden, shown = page["items"]
        assert (hidden["comment"], hidden["reason"], hidden["words_withheld"]) == (None, None, True)
        assert (shown["comment"], shown["reason"], shown["words_withheld"]) == ("P5 是 30,000", "wrong", False)
        assert client.get(f"/v1/traces/{shown['trace_id']}").raise_for_status().json()["trace_id"] == trace
        assert client.patch(f"/v1/complaints/{public}", json={"note": "x"}).status_code == 403
        first = client.get("/v1/complaints", params={"limit": 1}).json()
        rest = client.get("/v1/complaints", params={"limit": 1, "cursor": first["next_cursor"]}).json()
        assert [item["id"] for item in (*first["items"], *rest["items"])] == [secret, public]
        assert rest["next_cursor"] is None


def test_a_complaint_is_closed_once_with_a_note_and_on_record(desk: Desk) -> None:
    people = _trusted(desk)
    trace, complaint = _complain(desk, "employee", "年假可以结转吗？")
    with desk.client("chief") as client:
        closed = client.patch(f"/v1/complaints/{complaint}", json={"note": "手册已更正"}).raise_for_status().json()
        assert (closed["state"], closed["closed_by"], closed["note"]) == (
            "closed",
            people["chief"].user_id,
            "手册已更正",
        )
        again = client.patch(f"/v1/complaints/{complaint}", json={"note": "?"})
        assert (again.status_code, again.json()["code"]) == (409, "complaint_closed")
        unknown = client.patch("/v1/complaints/nowhere", json={"note": "?"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "complaint_not_found")
        assert client.get("/v1/complaints", params={"state": "open"}).json()["items"] == []
        assert [item["id"] for item in client.get("/v1/complaints", params={"state": "closed"}).json()["items"]] == [
            complaint
        ]
        kinds = [event["kind"] for event in client.get("/v1/audit", params={"kind": "complaint"}).json()["items"]]
        assert kinds == ["complaint.closed", "complaint.made"]
    assert trace


def test_a_note_is_not_shown_to_who_complained_and_may_not_read_the_sources_any_more(desk: Desk) -> None:
    with desk.corpus.platform.database.begin() as connection:
        for name, column in (("hr", "is_auditor"), ("employee", "is_admin")):
            values = {"id": desk.people[name].user_id}
            connection.execute(sa.text(f"UPDATE users SET {column} = TRUE WHERE id = :id"), values)
    desk.corpus.join(desk.people["employee"], "hr")
    _, complaint = _complain(desk, "hr", "P5 级工程师的月薪范围是多少？")
    desk.corpus.leave(desk.people["hr"], "hr")
    with desk.client("employee") as closer, desk.client("hr") as complainer:
        closer.patch(f"/v1/complaints/{complaint}", json={"note": "18,000 stands there"}).raise_for_status()
        (seen,) = closer.get("/v1/complaints").json()["items"]
        assert seen["note"] == "18,000 stands there"
        (own,) = complainer.get("/v1/complaints").json()["items"]
        assert (own["comment"], own["note"]) == ("P5 是 30,000", None)
