"""The audit log while it is written: by many threads and transactions, by processes that are killed, without SQL."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.errors import AuditUnavailable
from kbcore.metadata import users
from kbcore.metadata.audit_trail import AuditTrail
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_head
from tests.integration.auditing import KEY, check, fill, kinds, rows, said, tampering, trail

PATIENCE_S = 30

WRITER = """
import sys, threading
from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.metadata.database import Database
from tests.integration.auditing import trail

log = trail(Database(sys.argv[1]))
lock = threading.Lock()

def work(thread):
    number = 0
    while True:
        log.record([AuditEvent("thing.happened", detail={"thread": thread, "number": number})])
        with lock:
            print(thread, number, flush=True)
        number += 1

for thread in range(6):
    threading.Thread(target=work, args=(thread,)).start()
"""


def event(kind: str, **detail: object) -> AuditEvent:
    return AuditEvent(kind, detail=detail)


def test_what_was_recorded_is_there_in_order(database: Database) -> None:
    log = trail(database)
    log.record([event("a.b", n=1), event("c.d", n=2, words=["年假", None, True], nested={"b": 1, "a": [2**60]})])
    log.record([])
    first, second = rows(database)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert second["detail"] == {"n": 2, "words": ["年假", None, True], "nested": {"b": 1, "a": [2**60]}}
    assert said(check(database)) is None


def test_an_appended_event_shares_the_fate_of_its_transaction(database: Database) -> None:
    log = trail(database)
    with database.begin() as connection:
        log.append(connection, event("kept.one"), event("kept.two"))
    with contextlib.suppress(RuntimeError), database.begin() as connection:
        log.append(connection, event("undone.all"))
        raise RuntimeError
    assert kinds(database) == ["kept.one", "kept.two"]
    assert said(check(database)) is None


def test_threads_and_transactions_leave_no_gap_and_wait_for_nobody_forever(database: Database) -> None:
    log = trail(database)

    def record(number: int) -> None:
        log.record([event("alone.first", n=number), event("alone.second", n=number)])

    def write(number: int) -> None:
        # Every transaction locks rows that others lock, in whatever order they come, then appends.
        with database.begin() as connection:
            connection.execute(sa.text("SELECT FROM users WHERE name = 'shared' FOR UPDATE"))
            connection.execute(sa.text("UPDATE users SET display_name = :n WHERE name = 'shared'"), {"n": str(number)})
            log.append(connection, event("part.of", n=number))

    with database.begin() as connection:
        users.create_user(
            connection,
            name="shared",
            display_name="s",
            email=None,
            clearance=users.Classification.PUBLIC,
            is_admin=False,
        )
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(record if number % 3 else write, number) for number in range(600)]
        for each in waiting:
            each.result(PATIENCE_S)
    found = rows(database)
    assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
    assert len(found) == 400 * 2 + 200
    seconds = {row["detail"]["n"]: row["seq"] for row in found if row["kind"] == "alone.second"}
    assert all(seconds[row["detail"]["n"]] == row["seq"] + 1 for row in found if row["kind"] == "alone.first")
    assert said(check(database)) is None


def test_many_callers_share_transactions(database: Database) -> None:
    """While one commits the others gather: the head moves in far fewer steps than there are callers."""
    log = trail(database)
    with database.begin() as connection:  # whoever leads waits for the head here
        connection.execute(sa.select(audit_head).with_for_update())
        with ThreadPoolExecutor(33) as pool:
            first = pool.submit(log.record, [event("thing.first")])
            while not log._together._led or log._together._waiting:
                time.sleep(0.001)
            others = [pool.submit(log.record, [event("thing.next", n=n)]) for n in range(32)]
            while len(log._together._waiting) < 32:
                time.sleep(0.001)
            connection.rollback()
            for each in (first, *others):
                each.result(PATIENCE_S)
    with database.begin() as connection:
        transactions = connection.execute(sa.text("SELECT count(DISTINCT xmin::text) FROM audit_events")).scalar_one()
    assert (len(rows(database)), transactions) == (33, 2)


def test_a_process_that_is_killed_leaves_a_right_chain_with_all_that_it_was_told_is_there(
    database: Database, postgres_url: str
) -> None:
    command = [sys.executable, "-c", WRITER, postgres_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=os.getcwd())
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.stdout.close()
    process.wait(PATIENCE_S)
    promised = {
        (int(thread), int(number)) for thread, number in (line.split() for line in told if line.count(" ") == 1)
    }
    trail(database).record([event("life.goes_on")])  # no lock is left behind
    there = {(row["detail"].get("thread"), row["detail"].get("number")) for row in rows(database)}
    assert promised <= there
    assert len(promised) >= 200
    assert said(check(database)) is None


def test_without_sql_nothing_is_recorded_and_all_who_waited_are_told() -> None:
    log = trail(Database("postgresql://nobody@127.0.0.1:9/none"))
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(log.record, [event("thing.happened")]) for _ in range(8)]
        for each in waiting:
            with pytest.raises(AuditUnavailable):
                each.result(PATIENCE_S)


def test_a_head_that_somebody_does_not_let_go_is_waited_for_only_so_long(database: Database) -> None:
    log = AuditTrail(database, KEY, patience_s=0.1)
    with database.begin() as connection:
        log.append(connection, event("thing.first"))
        with pytest.raises(AuditUnavailable):
            log.record([event("thing.happened")])
    log.record([event("thing.after")])
    assert kinds(database) == ["thing.first", "thing.after"]


def test_neither_does_a_transaction_wait_for_ever_for_the_head(database: Database) -> None:
    log = AuditTrail(database, KEY, patience_s=0.1)
    with database.begin() as holder:
        log.append(holder, event("thing.first"))
        with pytest.raises(AuditUnavailable, match="held"), database.begin() as connection:
            log.append(connection, event("thing.happened"))
    with database.begin() as connection:
        log.append(connection, event("thing.after"))
    with database.begin() as connection:  # for that transaction only
        assert connection.execute(sa.text("SHOW lock_timeout")).scalar_one() == "0"
    assert kinds(database) == ["thing.first", "thing.after"]


def test_a_log_whose_head_is_gone_takes_nothing(database: Database) -> None:
    log = trail(database)
    log.record([event("thing.happened")])
    with tampering(database) as connection:
        connection.execute(audit_head.delete())
    with pytest.raises(AuditUnavailable, match="head"):
        log.record([event("thing.happened")])


def test_a_bad_event_spoils_nobody_elses(database: Database) -> None:
    log = trail(database)
    stop = threading.Event()

    def bad() -> None:
        while not stop.is_set():
            with pytest.raises(ValueError, match="bad"):
                log.record([event("bad.one", value=0.5)])

    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(bad)
        for number in range(50):
            log.record([event("good.one", n=number)])
        stop.set()
        other.result(PATIENCE_S)
    assert kinds(database) == ["good.one"] * 50


def test_a_machine_with_a_key_of_its_own_does_not_go_on_with_another_ones_log(database: Database) -> None:
    fill(database, 2)
    other, event = ChainKey(b"o" * 32), AuditEvent("thing.happened")
    with pytest.raises(AuditUnavailable, match=r"audit\.key"):
        AuditTrail(database, other, goes_on=True).record([event])
    AuditTrail(database, other, [KEY], goes_on=True).record([event])  # the former key is known: a new one was wanted
    AuditTrail(database, other, goes_on=True).record([event])
    assert len(rows(database)) == 4
