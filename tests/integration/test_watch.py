"""The worker watches what really happened: searches and refusals over HTTP, read back from the audit log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from ingestion.watch import watch
from kbcore.audit.events import AuditEvent
from kbcore.domain.document import Classification
from kbcore.metadata import api_keys, users
from kbcore.metadata.stock import measure
from kbcore.metadata.tables import audit_events, known_places
from kbcore.metadata.tables import users as user_rows
from kbcore.observability import metrics
from kbcore.settings import load_settings
from services.auth.api_keys import issue_key
from tests.integration.asking import Desk

NOW = datetime.now(UTC)


def limit(desk: Desk, **values: object) -> None:
    """Other settings of `[anomaly]`."""
    platform = desk.corpus.platform
    read = load_settings({f"ZHIKU_ANOMALY__{name.upper()}": str(value) for name, value in values.items()})
    platform.settings = platform.settings.model_copy(update={"anomaly": read.anomaly})


def look(desk: Desk, now: datetime | None = None) -> list[tuple[str, str | None]]:
    """What the watch finds: rule and user."""
    return [(each.rule.value, each.user) for each in watch(desk.corpus.platform, now or datetime.now(UTC))]


def recorded(desk: Desk, prefix: str) -> list[dict[str, Any]]:
    query = sa.select(audit_events).where(audit_events.c.kind.startswith(prefix)).order_by(audit_events.c.seq)
    with desk.corpus.platform.database.begin() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def throttled_until(desk: Desk, user_id: str) -> datetime | None:
    with desk.corpus.platform.database.begin() as connection:
        query = sa.select(user_rows.c.throttled_until).where(user_rows.c.id == user_id)
        return connection.execute(query).scalar_one()


def admin_of(desk: Desk, name: str = "admin") -> tuple[str, httpx.Client]:
    caller = desk.corpus.person(name, clearance=Classification.RESTRICTED, is_admin=True)
    with desk.corpus.platform.database.begin() as connection:
        desk.keys[name] = issue_key(connection, user_id=caller.user_id, name="test").token
    return caller.user_id, desk.client(name)


def harvest(client: httpx.Client) -> None:
    for query in ("年假", "hotel costs", "business class"):
        client.post("/v1/search", json={"query": query}).raise_for_status()


def test_harvesting_is_found_once_and_throttled_if_wished(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, rules="harvesting", throttle_minutes=15)
    employee = desk.people["employee"].user_id
    with desk.client() as client:
        harvest(client)
    assert look(desk) == [("harvesting", employee)]
    assert look(desk) == []
    with desk.client() as client:
        client.post("/v1/search", json={"query": "flights"})
    assert look(desk) == [], "the window is not over"
    (event,) = recorded(desk, "anomaly.")
    assert (event["kind"], event["actor"]) == ("anomaly.harvesting", employee)
    assert event["detail"]["documents"] == 2
    (throttle,) = recorded(desk, "throttle.set")
    until = throttled_until(desk, employee)
    assert until is not None
    assert throttle["detail"]["until"] == until.isoformat()
    assert timedelta(minutes=14) < until - datetime.now(UTC) <= timedelta(minutes=15)
    with desk.corpus.platform.database.begin() as connection:
        measure(connection)
    assert metrics.registry.get_sample_value("zhiku_anomalies", {"rule": "harvesting"}) == 1
    assert metrics.registry.get_sample_value("zhiku_anomalies", {"rule": "new_place"}) == 0


def test_it_only_reports_by_default(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, rules="harvesting")
    with desk.client() as client:
        harvest(client)
    assert len(look(desk)) == 1
    assert throttled_until(desk, desk.people["employee"].user_id) is None


def test_an_administrator_lifts_it(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, rules="harvesting", throttle_minutes=15)
    _, admin = admin_of(desk)
    employee = desk.people["employee"].user_id
    with admin, desk.client() as client:
        harvest(client)
        look(desk)
        assert throttled_until(desk, employee) is not None
        admin.patch("/v1/users/employee", json={"throttled_until": None}).raise_for_status()
        assert admin.patch("/v1/users/employee", json={"throttled_until": "2030-01-01T00:00:00Z"}).status_code == 422
    assert throttled_until(desk, employee) is None


def test_the_last_administrator_is_never_throttled(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, refusals=5, rules="harvesting,refusals", throttle_minutes=15)
    first, client = admin_of(desk)
    with client:
        harvest(client)
    assert look(desk) == [("harvesting", first)]
    assert throttled_until(desk, first) is None
    assert recorded(desk, "throttle.set") == []
    second, other = admin_of(desk, "second")
    with other:
        harvest(other)
    assert look(desk) == [("harvesting", second)]
    assert throttled_until(desk, second) is not None
    refusal = AuditEvent("request.refused", actor=first, detail={"status": 404, "count": 9})
    desk.corpus.platform.audit.record([refusal])
    assert look(desk) == [("refusals", first)]
    assert throttled_until(desk, first) is None, "the other one cannot lift it: it is throttled itself"


def test_what_happened_long_ago_throttles_nobody(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, rules="harvesting", throttle_minutes=15)
    with desk.client() as client:
        harvest(client)
    assert len(look(desk, datetime.now(UTC) + timedelta(hours=2))) == 1
    assert throttled_until(desk, desk.people["employee"].user_id) is None


def test_refusals_in_batches(desk: Desk) -> None:
    limit(desk, refusals=10, rules="refusals", throttle_minutes=5)
    platform, user = desk.corpus.platform, desk.people["employee"].user_id
    for _ in range(3):
        platform.audit.record([AuditEvent("request.refused", actor=user, detail={"status": 404, "count": 3})])
        assert look(desk) == []
    tried = {"user": desk.people["hr"].user_id}
    for _ in range(12):
        platform.audit.record([AuditEvent("login.refused", address="198.51.100.7", detail=tried)])
    platform.audit.record([AuditEvent("request.refused", actor=user, detail={"status": 403, "count": 2})])
    assert sorted(look(desk), key=str) == sorted(
        [("refusals", user), ("refusals", desk.people["hr"].user_id), ("refusals", None)], key=str
    )
    assert throttled_until(desk, user) is not None
    assert throttled_until(desk, desk.people["hr"].user_id) is None, "others could shut it out"
    addresses = {event["detail"]["address"] for event in recorded(desk, "anomaly.")}
    assert addresses == {None, "198.51.100.7"}


def test_somebody_who_tries_addresses(desk: Desk) -> None:
    limit(desk, refusals=10, rules="refusals")
    with desk.client() as client:
        for number in range(25):
            assert client.get(f"/v1/documents/{number}").status_code == 404
    assert look(desk) == [("refusals", desk.people["employee"].user_id)]
    (event,) = recorded(desk, "anomaly.refusals")
    assert event["detail"]["refusals"] > event["detail"]["limit"] == 10


@pytest.mark.parametrize(("begin", "end", "expected"), [(0, 0, 0), (1, 0, 1)])
def test_restricted_documents_off_hours(desk: Desk, begin: int, end: int, expected: int) -> None:
    hour = datetime.now(UTC).hour
    # Either no hour at all is off, or all but one that is long over.
    limit(
        desk, rules="off_hours", time_zone="UTC",
        off_hours_from=(hour + 12 + begin) % 24, off_hours_to=(hour + 12 + end) % 24,
    )  # fmt: skip
    secret = desk.corpus.add(
        "public", "Secret", "# Plans\n\nThe merger closes in May.", classification=Classification.RESTRICTED
    )
    reader = desk.corpus.person("cleared", clearance=Classification.RESTRICTED)
    with desk.corpus.platform.database.begin() as connection:
        desk.keys["cleared"] = issue_key(connection, user_id=reader.user_id, name="test").token
    with desk.client("cleared") as client, desk.client() as employee:
        found = client.post("/v1/search", json={"query": "merger"}).raise_for_status().json()["results"]
        assert secret in {each["document_id"] for each in found}
        employee.post("/v1/search", json={"query": "merger"}).raise_for_status()
    assert look(desk) == [("off_hours", reader.user_id)] * expected


def test_a_place_and_a_key_that_somebody_has_not_used_before(desk: Desk) -> None:
    limit(desk, rules="new_place")
    platform, user = desk.corpus.platform, desk.people["employee"].user_id

    def seen(address: str, key_id: str | None = None) -> list[tuple[str, str | None]]:
        platform.audit.record([AuditEvent("document.read", actor=user, address=address, key_id=key_id)] * 2)
        return look(desk)

    assert seen("192.0.2.1") == [], "there is nothing to compare with"
    assert seen("198.51.100.1") == [], "its first day"
    with platform.database.begin() as connection:
        connection.execute(sa.update(user_rows).values(created_at=datetime.now(UTC) - timedelta(days=2)))
        first = issue_key(connection, user_id=user, name="a").key.id
        second = issue_key(connection, user_id=user, name="b").key.id
        connection.execute(sa.text("UPDATE api_keys SET kind = 'key'"))
        session = issue_key(connection, user_id=user, name="c").key.id
        connection.execute(sa.text("UPDATE api_keys SET kind = 'session' WHERE id = :id"), {"id": session})
    assert seen("192.0.2.200") == [], "the same network"
    assert seen("203.0.113.1") == [("new_place", user)]
    assert seen("203.0.113.2") == []
    assert seen("203.0.113.2", first) == []
    assert seen("203.0.113.2", second) == [("new_place", user)]
    assert seen("203.0.113.2", session) == []
    assert [each["detail"]["what"] for each in recorded(desk, "anomaly.")] == ["address", "key"]
    with platform.database.begin() as connection:
        values = connection.execute(sa.select(known_places.c.value)).scalars().all()
    assert not any("203.0" in value or first in value for value in values), "places are kept as keyed hashes"


def test_somebody_who_is_gone_is_no_obstacle(desk: Desk) -> None:
    limit(desk, documents_per_hour=1, rules="harvesting,new_place", throttle_minutes=15)
    with desk.client() as client:
        harvest(client)
    with desk.corpus.platform.database.begin() as connection:
        users.delete_user(connection, desk.people["employee"].user_id)
    assert look(desk) == [("harvesting", desk.people["employee"].user_id)]
    assert recorded(desk, "throttle.set") == []


def test_an_old_key_that_somebody_found_shuts_nobody_out(desk: Desk) -> None:
    limit(desk, refusals=5, rules="refusals", throttle_minutes=15)
    employee = desk.people["employee"].user_id
    with desk.corpus.platform.database.begin() as connection:
        old = issue_key(connection, user_id=employee, name="old")
        api_keys.revoke_key(connection, old.key.id)
    with httpx.Client(base_url=desk.url, headers={"Authorization": f"Bearer {old.token}"}) as finder:
        assert {finder.get("/v1/users/me").status_code for _ in range(9)} == {401}
    with desk.client() as client:
        assert client.get("/v1/documents/unknown").status_code == 404
    assert look(desk) == [("refusals", employee)]
    assert throttled_until(desk, employee) is None


def test_refusals_of_others_do_not_add_to_ones_own(desk: Desk) -> None:
    limit(desk, refusals=5, rules="refusals", throttle_minutes=15)
    employee = desk.people["employee"].user_id
    tried = AuditEvent("login.refused", address="198.51.100.7", detail={"user": employee})
    own = AuditEvent("request.refused", actor=employee, detail={"status": 404, "count": 1})
    desk.corpus.platform.audit.record([*[tried] * 5, own])
    assert look(desk) == [("refusals", employee)]
    assert throttled_until(desk, employee) is None
