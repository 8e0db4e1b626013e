"""Logging in with a password: who may, what ends a session, how often one may try, what is recorded of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from kbcore.audit.events import AuditEvent
from kbcore.domain.principal import KeyKind
from kbcore.errors import AclUnavailable
from kbcore.metadata import api_keys, users
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_events
from services.api.app import create_app
from services.auth.passwords import Passwords
from services.auth.watch import Watch
from tests.api_server import Api, api_settings, serving

GOOD = "correct-horse-9"


@pytest.fixture
def lina(api: Api) -> httpx.Client:
    """A person with a password, by her key."""
    client = api.person("lina")
    api.admin.put("/v1/users/lina/password", json={"password": GOOD}).raise_for_status()
    return client


def unavailable(*_: object) -> None:
    raise AclUnavailable


def log_in(api: Api, name: str = "lina", password: str = GOOD) -> httpx.Response:
    return api.client().post("/v1/login", json={"name": name, "password": password})


def session(api: Api) -> httpx.Client:
    return api.client(log_in(api).raise_for_status().json()["token"])


def recorded(database: Database, kind: str) -> list[Any]:
    query = sa.select(audit_events).where(audit_events.c.kind == kind).order_by(audit_events.c.seq)
    with database.begin() as connection:
        return list(connection.execute(query))


def test_a_login_gives_a_session_that_is_the_person(api: Api, lina: httpx.Client) -> None:
    answer = log_in(api).json()
    assert answer["token"].startswith("zs_")
    client = api.client(answer["token"])
    assert client.get("/v1/users/me").json() == lina.get("/v1/users/me").json()
    event = recorded(api.database, "login.succeeded")[0]
    assert event.actor == lina.get("/v1/users/me").json()["id"]
    assert event.address == "127.0.0.1"
    assert client.get("/v1/users/me/keys").json()["items"][0]["kind"] == "key"  # sessions are no keys


def test_every_refused_login_gets_the_same_answer_and_none_names_anybody(api: Api, lina: httpx.Client) -> None:
    api.admin.post("/v1/users", json={"name": "robot", "kind": "service"}).raise_for_status()
    api.person("gone")
    api.admin.put("/v1/users/gone/password", json={"password": GOOD}).raise_for_status()
    api.admin.patch("/v1/users/gone", json={"active": False}).raise_for_status()
    api.person("keys-only")
    answers = []
    for name, password in (("lina", "wrong"), ("nobody", GOOD), ("robot", GOOD), ("gone", GOOD), ("keys-only", "")):
        response = log_in(api, name, password)
        body = response.json()
        body.pop("trace_id")
        answers.append((response.status_code, body))
    assert answers == [answers[0]] * len(answers)
    assert (answers[0][0], answers[0][1]["code"]) == (401, "login_refused")
    events = recorded(api.database, "login.refused")
    assert len(events) == len(answers)
    assert len({event.detail["name"] for event in events}) == len(answers)
    for name in ("lina", "nobody", "robot", "gone", GOOD):
        assert name not in str([event._mapping for event in events])


def test_unknown_names_take_the_same_way_through_the_hash() -> None:
    hashed: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            hashed.append(str(hash))
            return super().verify(hash, password)

    passwords = Passwords(min_chars=12, hasher=Counting(time_cost=1, memory_cost=1024, parallelism=1))
    known = passwords.hash(GOOD)
    assert passwords.verify(known, GOOD)
    assert not passwords.verify(None, GOOD)
    assert not passwords.verify(None, "wrong")
    assert not passwords.verify("not a hash", GOOD)
    assert len(hashed) == 4
    assert hashed[1] == hashed[2]
    assert [part.split("$")[:4] for part in hashed[:2]] == [known.split("$")[:4]] * 2  # the same work


def test_a_session_ends_with_logging_out_and_a_key_does_not(api: Api, lina: httpx.Client) -> None:
    first, second = session(api), session(api)
    assert first.post("/v1/logout").status_code == 204
    assert first.get("/v1/users/me").status_code == 401
    assert second.get("/v1/users/me").status_code == 200
    assert len(recorded(api.database, "logout")) == 1
    session(api)
    with api.database.begin() as connection:
        sessions = api_keys.list_keys(connection, user_id=None, kind=KeyKind.SESSION, after=None, limit=9)
    assert [one.revoked_at for one in sessions] == [None, None]  # those that are over do not pile up
    refused = lina.post("/v1/logout")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_a_session")


def test_sessions_end_with_a_new_password_and_keys_stay(api: Api, lina: httpx.Client) -> None:
    client = session(api)
    change = {"password": "battery-staple-7", "old_password": GOOD}
    assert client.put("/v1/users/me/password", json=change).status_code == 204
    assert client.get("/v1/users/me").status_code == 401
    assert lina.get("/v1/users/me").status_code == 200
    assert log_in(api).status_code == 401
    again = log_in(api, password="battery-staple-7").raise_for_status().json()
    api.admin.put("/v1/users/lina/password", json={"password": GOOD}).raise_for_status()
    assert api.client(again["token"]).get("/v1/users/me").status_code == 401


def test_sessions_end_with_deactivation_and_stay_ended(api: Api, lina: httpx.Client) -> None:
    client = session(api)
    api.admin.patch("/v1/users/lina", json={"active": False}).raise_for_status()
    assert client.get("/v1/users/me").status_code == 401
    api.admin.patch("/v1/users/lina", json={"active": True}).raise_for_status()
    assert client.get("/v1/users/me").status_code == 401
    assert lina.get("/v1/users/me").status_code == 200


def test_ones_own_password_needs_the_old_one(api: Api, lina: httpx.Client) -> None:
    for old in ({}, {"old_password": "wrong"}):
        for who in ("me", "lina"):
            refused = lina.put(f"/v1/users/{who}/password", json={"password": "battery-staple-7", **old})
            assert (refused.status_code, refused.json()["code"]) == (403, "wrong_password")
    assert log_in(api).status_code == 200


def test_the_first_administrator_gives_itself_a_password_once(api: Api) -> None:
    assert api.admin.put("/v1/users/me/password", json={"password": GOOD}).status_code == 204
    assert log_in(api, "admin").status_code == 200
    assert api.admin.put("/v1/users/me/password", json={"password": "battery-staple-7"}).status_code == 403


def test_service_accounts_have_no_password(api: Api) -> None:
    api.admin.post("/v1/users", json={"name": "robot", "kind": "service"}).raise_for_status()
    refused = api.admin.put("/v1/users/robot/password", json={"password": GOOD})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_a_person")


@pytest.mark.parametrize("password", ["short-1", "abcLINAdefghi", "Password1234", "aaaaaaaaaaaaaa", "    lina      "])
def test_weak_passwords_are_not_taken(api: Api, lina: httpx.Client, password: str) -> None:
    refused = api.admin.put("/v1/users/lina/password", json={"password": password})
    assert (refused.status_code, refused.json()["code"]) == (422, "weak_password")
    assert password.strip() not in refused.text


def test_passwords_that_look_the_same_are_the_same(api: Api, lina: httpx.Client) -> None:
    api.admin.put("/v1/users/lina/password", json={"password": "caf\u00e9-am-rathaus-1"}).raise_for_status()
    assert log_in(api, password="cafe\u0301-am-rathaus-1").status_code == 200


def test_a_hash_of_old_parameters_is_renewed_by_a_login(api: Api, lina: httpx.Client) -> None:
    user_id = lina.get("/v1/users/me").json()["id"]
    with api.database.begin() as connection:
        users.set_password(connection, user_id, PasswordHasher(time_cost=1, memory_cost=1024).hash(GOOD))
    assert log_in(api).status_code == 200
    with api.database.begin() as connection:
        found = users.with_password(connection, "lina")
    assert found is not None
    assert found[1] is not None
    assert "m=65536" in found[1]
    assert log_in(api).status_code == 200


def test_nothing_of_a_password_is_kept_but_its_hash(api: Api, lina: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k"}
    api.admin.put("/v1/users/lina/password", json={"password": GOOD}, headers=headers).raise_for_status()
    with api.database.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM idempotency")).scalar_one() == 0


@pytest.fixture
def strict(database: Database, tmp_path: Path, postgres_url: str, redis_url: str) -> Iterator[Api]:
    """An API that allows 3 attempts by name and 4 by address, and believes its proxy."""
    settings = api_settings(
        tmp_path,
        postgres_url,
        redis_url,
        ZHIKU_LOGIN__ATTEMPTS_PER_NAME="3",
        ZHIKU_LOGIN__ATTEMPTS_PER_ADDRESS="4",
        ZHIKU_SERVER__TRUSTED_PROXIES="127.0.0.1",
    )
    app = create_app(settings)
    with serving(app) as url:
        api = Api(url, app, database)
        yield api
        api.close()


def attempt(api: Api, name: str, password: str, address: str) -> httpx.Response:
    body = {"name": name, "password": password}
    return api.client().post("/v1/login", json=body, headers={"X-Forwarded-For": address})


def test_attempts_are_counted_by_name_before_the_password_is_looked_at(strict: Api) -> None:
    strict.person("wang")
    strict.admin.put("/v1/users/wang/password", json={"password": GOOD}).raise_for_status()
    for _ in range(2):  # a success begins the count anew
        for number in range(2):
            assert attempt(strict, "wang", "wrong", f"10.1.0.{number}").status_code == 401
        assert attempt(strict, "wang", GOOD, "10.1.0.9").status_code == 200
    for number in range(3):
        assert attempt(strict, "wang", "wrong", f"10.1.1.{number}").status_code == 401
    refused = attempt(strict, "wang", GOOD, "10.1.2.1")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(refused.headers["retry-after"]) <= 15 * 60
    assert recorded(strict.database, "login.refused")[-1].detail["reason"] == "too_many_attempts"


def test_attempts_are_counted_by_address_whatever_the_name(strict: Api) -> None:
    for number in range(4):
        assert attempt(strict, f"n{number}", "wrong", f"2001:db8::{number}").status_code == 401
    assert attempt(strict, "n9", "wrong", "2001:db8::ffff").status_code == 429  # of the same /64
    assert attempt(strict, "n9", "wrong", "2001:db8:0:1::1").status_code == 401


def test_without_redis_nobody_logs_in_and_everything_else_goes_on(
    database: Database, tmp_path: Path, postgres_url: str
) -> None:
    app = create_app(api_settings(tmp_path, postgres_url, f"redis+socket://{tmp_path}/none"))
    with serving(app) as url:
        api = Api(url, app, database)
        refused = log_in(api)
        assert (refused.status_code, refused.json()["code"]) == (503, "dependency_unavailable")
        assert api.admin.get("/v1/users/me").status_code == 200
        api.close()


def test_switched_off_it_ends_the_sessions_too(api: Api, lina: httpx.Client, tmp_path: Path, redis_url: str) -> None:
    token = log_in(api).json()["token"]
    settings = api.platform.settings.model_copy(
        update={"login": api.platform.settings.login.model_copy(update={"enabled": False})}
    )
    app = create_app(settings)
    with serving(app) as url:
        off = Api(url, app, api.database)
        refused = log_in(off)
        assert (refused.status_code, refused.json()["code"]) == (403, "login_disabled")
        assert off.client(token).get("/v1/users/me").status_code == 401
        off.close()


def test_a_flood_of_refusals_is_a_few_records(api: Api) -> None:
    with api.client("zk_nonsense") as client:
        for _ in range(30):
            assert client.get("/v1/users/me").status_code == 401
    assert len(recorded(api.database, "authentication.refused")) <= 10
    api.app.state.watch.close()  # as at the end of the process, or of the minute
    events = recorded(api.database, "authentication.refused")
    assert len(events) <= 11
    told = sum(event.detail.get("more", 1) for event in events)
    assert told >= 30
    assert events[-1].detail["more"] >= 20


def test_addresses_without_number_share_one_account(api: Api) -> None:
    watch = Watch(api.platform)
    for number in range(250):
        watch.refused(AuditEvent("authentication.refused", address=f"10.3.0.{number}"))
    assert len(recorded(api.database, "authentication.refused")) == 200 + 10
    watch.close()
    assert recorded(api.database, "authentication.refused")[-1].detail == {"more": 40}
    watch.close()  # told once
    assert len(recorded(api.database, "authentication.refused")) == 200 + 10 + 1


def test_what_was_counted_is_told_when_sql_is_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(api.platform)
    for _ in range(25):
        watch.refused(AuditEvent("authentication.refused", address="10.4.0.1"))
    with monkeypatch.context() as without:
        without.setattr(api.platform.audit._together, "_commit", unavailable)
        watch._minutes["authentication.refused", "10.4.0.1"].ends = 0.0
        watch._due = 0.0
        with pytest.raises(AclUnavailable):
            watch.settle()
        with pytest.raises(AclUnavailable):
            watch.settle()
    watch.settle()
    assert recorded(api.database, "authentication.refused")[-1].detail == {"more": 15}
    watch.close()  # told once
    assert len(recorded(api.database, "authentication.refused")) == 11


def test_a_use_that_could_not_be_recorded_is_recorded_with_the_next_one(
    strict: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = strict.person("wang")
    headers = {"X-Forwarded-For": "10.2.0.9"}
    with monkeypatch.context() as without:
        without.setattr(strict.platform.audit, "append", unavailable)
        assert client.get("/v1/users/me", headers=headers).status_code == 503
    client.get("/v1/users/me", headers=headers).raise_for_status()
    assert recorded(strict.database, "key.used")[-1].address == "10.2.0.9"


def test_the_use_of_a_key_is_recorded_by_address_and_not_each_time(strict: Api) -> None:
    client = strict.person("wang")
    client.get("/v1/users/me").raise_for_status()
    before = len(recorded(strict.database, "key.used"))
    for address in ("10.2.0.1", "10.2.0.1", "10.2.0.2", "10.2.0.1"):
        client.get("/v1/users/me", headers={"X-Forwarded-For": address}).raise_for_status()
    events = recorded(strict.database, "key.used")[before:]
    assert [event.address for event in events] == ["10.2.0.1", "10.2.0.2"]


def test_a_refusal_says_whose_key_it_was_only_if_the_secret_was_right(api: Api) -> None:
    issued = api.admin.post("/v1/api-keys", json={"user": "admin", "name": "k"}).json()
    api.admin.delete(f"/v1/api-keys/{issued['id']}").raise_for_status()
    api.app.state.watch.close()
    secret = issued["key"]
    assert api.client(secret).get("/v1/users/me").status_code == 401
    assert api.client(secret[:-1] + ("A" if secret[-1] != "A" else "B")).get("/v1/users/me").status_code == 401
    right, wrong = recorded(api.database, "authentication.refused")[-2:]
    assert (right.detail["reason"], right.actor, right.key_id) == ("revoked", issued["user_id"], issued["id"])
    assert (wrong.detail["reason"], wrong.actor, wrong.key_id) == ("wrong", None, issued["id"])


def test_the_address_of_a_client_is_not_what_it_says_itself(api: Api) -> None:
    key = api.admin.post("/v1/api-keys", json={"user": "admin", "name": "k"}).json()
    api.client(key["key"]).get("/v1/users/me", headers={"X-Forwarded-For": "10.9.9.9"}).raise_for_status()
    event = recorded(api.database, "key.used")[-1]
    assert event.address == "127.0.0.1"
