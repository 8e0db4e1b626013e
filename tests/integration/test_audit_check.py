"""Whatever is done to the audit log in the database is found, and called by the right word."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError

from kbcore.audit.chain import FIRST, ChainKey
from kbcore.audit.head_file import HeadFile
from kbcore.audit.heads import Head
from kbcore.metadata import audit_log
from kbcore.metadata.audit_check import Check, _content, _rows
from kbcore.metadata.audit_export import export_head, trusted_end
from kbcore.metadata.database import Database
from tests.integration.auditing import KEY, check, fill, restore_head, rows, said, tampering, trail

SWAP = """
    CREATE TEMP TABLE two ON COMMIT DROP AS SELECT * FROM audit_events WHERE seq IN (:a, :b);
    DELETE FROM audit_events WHERE seq IN (:a, :b);
    UPDATE two SET seq = CASE seq WHEN :a THEN :b ELSE :a END;
    INSERT INTO audit_events SELECT * FROM two
"""


def run(connection: Connection, script: str, **values: int) -> None:
    for statement in script.split(";"):
        connection.execute(sa.text(statement), {name: values[name] for name in values if f":{name}" in statement})


def rewrite(connection: Connection, key: ChainKey, *, from_seq: int = 1) -> None:
    """Chain everything again from a record on, under another key: without a gap, with a right head."""
    mac = FIRST
    for row in list(_rows(connection, 0)):
        if row.seq >= from_seq:
            mac = key.mac(mac, _content(row, row.seq))
            connection.execute(
                sa.text("UPDATE audit_events SET mac = :mac, mac_key = :key WHERE seq = :seq"),
                {"mac": mac, "key": key.fingerprint, "seq": row.seq},
            )
        else:
            mac = bytes(row.mac)
    restore_head(connection)


def test_a_log_that_nobody_touched_is_right(database: Database) -> None:
    assert said(check(database)) is None
    fill(database, 20)
    verdict = check(database)
    assert (verdict.ok, verdict.records, verdict.end.seq, verdict.key_unknown) == (True, 20, 20, 0)


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'", "kind = 'thing.undone'", "actor = 'u9'", "actor = NULL", "acting = 'u1'",
        "key_id = 'k'", "address = '10.0.0.1'", "trace_id = 't'", "documents = ARRAY['d']",
        """detail = '{"number": 8}'""", """mac = '\\x00'""",
    ],
)  # fmt: skip
def test_a_changed_field_is_found(database: Database, change: str) -> None:
    fill(database, 10)
    with tampering(database) as connection:
        connection.execute(sa.text(f"UPDATE audit_events SET {change} WHERE seq = 6"))
    assert said(check(database)) == (6, "changed")


def test_a_record_that_is_gone_from_the_middle_is_found(database: Database) -> None:
    fill(database, 10)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq = 4"))
    assert said(check(database)) == (4, "missing")


def test_a_record_that_is_gone_with_the_rest_moved_up_is_found(database: Database) -> None:
    fill(database, 10)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq = 4"))
        for seq in range(5, 11):
            connection.execute(sa.text("UPDATE audit_events SET seq = seq - 1 WHERE seq = :seq"), {"seq": seq})
        restore_head(connection)
    assert said(check(database)) == (4, "changed")


@pytest.mark.parametrize(("a", "b"), [(3, 4), (2, 9)])
def test_two_records_that_changed_places_are_found(database: Database, a: int, b: int) -> None:
    fill(database, 10)
    with tampering(database) as connection:
        run(connection, SWAP, a=a, b=b)
    assert said(check(database)) == (a, "reordered")


def test_an_inserted_record_is_found(database: Database) -> None:
    fill(database, 10)
    forged = "INSERT INTO audit_events SELECT 5, at, kind, actor, acting, key_id, address, trace_id, documents, detail, mac_key, mac FROM audit_events WHERE seq = 4"  # noqa: E501
    with tampering(database) as connection:
        for seq in range(10, 4, -1):
            connection.execute(sa.text("UPDATE audit_events SET seq = seq + 1 WHERE seq = :seq"), {"seq": seq})
        connection.execute(sa.text(forged))
        restore_head(connection)
    assert said(check(database)) == (5, "reordered")  # the one that belongs there stands one further on


@pytest.mark.parametrize("place", [0, -1, -(2**63)])
@pytest.mark.parametrize("new_only", [False, True])
def test_a_record_put_before_the_first_is_found(
    database: Database, tmp_path: Path, place: int, *, new_only: bool
) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 3)
    export_head(database, trail(database).keys, heads)
    with database.begin() as connection:  # no trigger refuses it
        connection.execute(
            sa.text("""
                INSERT INTO audit_events SELECT :place, at, kind, 'u9', acting, key_id, address, trace_id, documents,
                    detail, mac_key, mac FROM audit_events WHERE seq = 1
            """),
            {"place": place},
        )
    keys = trail(database).keys
    verdict = Check(keys, trusted_end(keys, heads) if new_only else None).run(database, None)
    assert said(verdict) == (place, "changed")


def test_a_record_added_at_the_end_without_the_key_is_found(database: Database) -> None:
    fill(database, 3)
    with tampering(database) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO audit_events SELECT 4, at, 'made.up', actor, acting, key_id, address, trace_id, documents,"
                " detail, mac_key, mac FROM audit_events WHERE seq = 3"
            )
        )
        restore_head(connection)
    assert said(check(database)) == (4, "changed")


def test_an_end_that_was_cut_off_shows_against_the_head(database: Database) -> None:
    fill(database, 10)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq > 7"))
    assert said(check(database)) == (8, "truncated")


def test_an_end_that_was_cut_off_with_the_head_shows_against_an_exported_head(
    database: Database, tmp_path: Path
) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 10)
    export_head(database, trail(database).keys, heads)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq > 7"))
        restore_head(connection)
    assert said(check(database)) is None  # the database alone can't know
    assert said(check(database, heads=heads)) == (8, "truncated")
    fill(database, 5)  # and as it grows over the place
    assert said(check(database, heads=heads)) == (10, "head_mismatch")


def test_a_cut_is_found_before_a_head_is_exported_of_it(database: Database, tmp_path: Path) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 10)
    export_head(database, trail(database).keys, heads)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events WHERE seq > 7"))
        restore_head(connection)
    verdict = export_head(database, trail(database).keys, heads)
    assert verdict is not None
    assert said(verdict) == (8, "truncated")
    fill(database, 5)
    verdict = export_head(database, trail(database).keys, heads)
    assert verdict is not None
    assert said(verdict) == (10, "head_mismatch")
    assert [head.seq for head in heads.read() if head] == [10]


def test_everything_removed_is_found(database: Database, tmp_path: Path) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 3)
    export_head(database, trail(database).keys, heads)
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events"))
        connection.execute(sa.text("UPDATE audit_head SET seq = 0, mac = '', at = 'epoch'"))
    assert said(check(database)) is None
    assert said(check(database, heads=heads)) == (1, "truncated")


def test_a_chain_made_again_with_another_key_is_found(database: Database, tmp_path: Path) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 6)
    export_head(database, trail(database).keys, heads)
    with tampering(database) as connection:
        connection.execute(sa.text("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 2"))
        rewrite(connection, ChainKey(b"x" * 32))
    verdict = check(database)
    assert (said(verdict), verdict.key_unknown) == ((1, "unknown_key"), 6)
    assert said(check(database, former=[ChainKey(b"x" * 32)])) is None  # to whoever believes that key
    assert said(check(database, former=[ChainKey(b"x" * 32)], heads=heads)) == (6, "head_mismatch")


def test_a_head_that_says_something_else_is_found(database: Database) -> None:
    fill(database, 5)
    with tampering(database) as connection:
        connection.execute(sa.text("UPDATE audit_head SET mac = '\\x00'"))
    assert said(check(database)) == (5, "head_mismatch")


def test_a_forged_head_is_found(database: Database, tmp_path: Path) -> None:
    heads = HeadFile(tmp_path)
    fill(database, 5)
    forger = ChainKey(b"x" * 32)
    end = rows(database)[2]
    heads.write(Head.signed(forger, 3, bytes(end["mac"]), end["at"]))
    assert said(check(database, heads=heads)) == (3, "head_mismatch")
    assert trusted_end(trail(database).keys, heads) is None


def test_old_records_verify_with_a_former_key(database: Database, tmp_path: Path) -> None:
    old = ChainKey(b"o" * 32)
    heads = HeadFile(tmp_path)
    fill(database, 4, key=old)
    export_head(database, trail(database, key=old).keys, heads)
    fill(database, 4)
    assert said(check(database)) == (1, "unknown_key")
    assert check(database).key_unknown == 4
    verdict = check(database, former=[old], heads=heads)
    assert (said(verdict), verdict.records, verdict.heads_checked) == (None, 8, 1)


def test_times_do_not_go_back_when_a_clock_is_set_back(database: Database) -> None:
    fill(database, 2)
    with tampering(database) as connection:
        connection.execute(sa.text("UPDATE audit_head SET at = at + interval '1 hour'"))
    fill(database, 2)
    times = [row["at"] for row in rows(database)]
    assert times == sorted(times)
    assert times[2] - times[1] > timedelta(minutes=59)
    assert said(check(database)) is None


def test_a_verification_goes_on_behind_a_verified_head(database: Database, tmp_path: Path) -> None:
    heads = HeadFile(tmp_path)
    keys = trail(database).keys
    for count in (3, 4, 0):
        fill(database, count)
        verdict = export_head(database, keys, heads)
        assert verdict is not None
        assert (verdict.ok, verdict.records) == (True, count)
    assert [head.seq for head in heads.read() if head] == [3, 7]  # nothing new, nothing written


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events",
        "TRUNCATE audit_head", "DELETE FROM audit_head", "UPDATE audit_head SET seq = seq - 1",
    ],
)  # fmt: skip
def test_sql_refuses_what_is_no_appending(database: Database, statement: str) -> None:
    fill(database, 2)
    with pytest.raises(ProgrammingError, match="append-only"), database.begin() as connection:
        connection.execute(sa.text(statement))
    assert said(check(database)) is None


COLUMNS = ("kind", "actor", "acting", "key_id", "address", "trace_id", "mac_key")
TAMPERING = st.one_of(
    st.tuples(st.just("set"), st.integers(1, 12), st.sampled_from(COLUMNS)),
    st.tuples(st.just("delete"), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.just("swap"), st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.just("shift"), st.integers(1, 12), st.integers(1, 3)),
    st.tuples(st.just("copy"), st.integers(1, 12), st.integers(1, 12)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TAMPERING, min_size=1, max_size=4), st.booleans())
def test_no_tampering_that_changes_anything_goes_unseen(
    database: Database, tmp_path: Path, steps: list[tuple[str, int, object]], with_head: bool
) -> None:
    heads = HeadFile(tmp_path / f"{len(list(tmp_path.iterdir()))}")
    with tampering(database) as connection:
        connection.execute(sa.text("DELETE FROM audit_events"))
        connection.execute(sa.text("UPDATE audit_head SET seq = 0, mac = '', at = 'epoch'"))
    fill(database, 12)
    export_head(database, trail(database).keys, heads)
    before = rows(database)
    with tampering(database) as connection:
        for step in steps:
            _tamper(connection, *step)
        if with_head and audit_log.last_seq(connection):
            restore_head(connection)
    verdict = check(database, heads=heads)
    assert verdict.ok == (rows(database) == before)


def _tamper(connection: Connection, what: str, seq: int, more: object) -> None:
    values = {"seq": seq, "more": more}
    with contextlib.suppress(sa.exc.IntegrityError), connection.begin_nested():
        match what:
            case "set":
                connection.execute(sa.text(f"UPDATE audit_events SET {more} = 'x' WHERE seq = :seq"), values)
            case "delete":
                connection.execute(sa.text("DELETE FROM audit_events WHERE seq BETWEEN :seq AND :more"), values)
            case "swap" if seq != more:
                for a, b in ((seq, -1), (more, seq), (-1, more)):
                    statement = "UPDATE audit_events SET seq = :b WHERE seq = :a"
                    connection.execute(sa.text(statement), {"a": a, "b": b})
            case "shift":
                statement = "UPDATE audit_events SET at = at + :more * interval '1 second' WHERE seq = :seq"
                connection.execute(sa.text(statement), values)
            case "copy":
                columns = "detail, documents, actor, kind, mac"
                connection.execute(
                    sa.text(
                        f"UPDATE audit_events SET ({columns}) ="
                        f" (SELECT {columns} FROM audit_events WHERE seq = :more)"
                        " WHERE seq = :seq AND EXISTS (SELECT FROM audit_events WHERE seq = :more)"
                    ),
                    values,
                )


def test_the_key_is_no_part_of_what_is_stored(database: Database) -> None:
    fill(database, 1)
    assert rows(database)[0]["mac_key"] == KEY.fingerprint
    assert b"k" * 32 not in str(rows(database)).encode()
