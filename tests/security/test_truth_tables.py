"""Every row of the truth tables in `kbcore/permissions/README.md`, tried on real tables by all that decide."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.ids import new_id
from kbcore.metadata import access, documents, groups, spaces
from kbcore.metadata.access_history import guards_at
from kbcore.metadata.database import Database
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.policies import intern_policy
from kbcore.metadata.rights import read_rights
from kbcore.metadata.tables import users as users_table
from kbcore.permissions.explain import explain
from kbcore.permissions.policy import ALWAYS, Denial, Grant, Period, Policy, Role

README = Path(__file__).parents[2] / "kbcore" / "permissions" / "README.md"
NOW = datetime.now(UTC)
MOMENTS = {"unset": None, "past": NOW - timedelta(days=1), "future": NOW + timedelta(days=1)}
EARLIER = {"past": NOW - timedelta(days=2), "future": NOW + timedelta(hours=12), "unset": None}
ELSEWHERE = Policy(frozenset({Grant("everyone", Role.MANAGER)}))
"""What stands where it must not count: it would let everybody in."""


def _table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    section = README.read_text(encoding="utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _reading() -> list[tuple[tuple[bool, ...], str]]:
    """Every combination of the five conditions, with the rule that its row names."""
    found: dict[tuple[bool, ...], list[str]] = {}
    for *conditions, answer in _table("May this user read this document?"):
        choices = [(True, False) if cell == "–" else (cell == "yes",) for cell in conditions]
        for combination in itertools.product(*choices):
            found.setdefault(combination, []).append(answer.split(": ")[1].split(" ")[0])
    assert len(found) == 2**5
    assert all(len(answers) == 1 for answers in found.values()), "each case stands in exactly one row"
    return [(combination, answers[0]) for combination, answers in found.items()]


READING = _reading()
PLACES = [row[0] for row in _table("Which policy counts?")]


@dataclass
class Case:
    """One person and one document."""

    user_id: str
    document_id: str


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.begin() as connection:
        yield connection
        connection.rollback()


def _make(
    connection: Connection,
    *,
    space_policy: Policy,
    own: Policy | None,
    active: bool = True,
    deleted: bool = False,
    cleared: bool = True,
) -> Case:
    user_id = "the-person"
    connection.execute(
        sa.text("INSERT INTO users (id, name, display_name, clearance, active) VALUES (:id, :id, '', :level, :active)"),
        {"id": user_id, "level": int(Classification.INTERNAL), "active": active},
    )
    inner, outer = (groups.create_group(connection, name=f"g-{name}", title="g").id for name in ("inner", "outer"))
    connection.execute(
        sa.text("UPDATE groups SET id = CASE name WHEN 'g-inner' THEN 'inner' ELSE 'outer' END WHERE id IN (:a, :b)"),
        {"a": inner, "b": outer},
    )
    groups.add_members(connection, "inner", [f"user:{user_id}"])
    groups.add_members(connection, "outer", ["group:inner"])
    space = spaces.create_space(connection, name=f"s-{new_id()}", title="s", policy=space_policy)
    level = Classification.INTERNAL if cleared else Classification.CONFIDENTIAL
    document_id = new_id()
    documents.insert(connection, NewDocument(document_id, space.id, None, "t", level, (), {}, None, None, "x"))
    connection.execute(
        sa.text(
            "INSERT INTO versions (document_id, number, sha256, size, file_name, media_type, title, state, created_by)"
            " VALUES (:id, 1, '', 0, '', '', '', 'pending', 'x')"
        ),
        {"id": document_id},
    )
    own_id = None if own is None else intern_policy(connection, own, of_space=space.policy_id)
    documents.update(connection, document_id, own_policy_id=own_id, latest_version=1)
    if deleted:
        documents.mark_deleted(connection, document_id, "x")
    return Case(user_id, document_id)


def _decisions(connection: Connection, case: Case) -> tuple[set[bool], str]:
    """What everything that decides says, and the rule that the explanation names."""
    guards = guards_at(connection, case.user_id, case.document_id, None).guards
    explanation = explain(case.user_id, guards)
    listed = documents.list_readable(connection, case.user_id, limit=5)
    rights = read_rights(connection, [case.user_id], [case.document_id])
    said = {
        explanation.readable,
        case.document_id in {document.id for document in listed},
        rights.may_read(case.user_id, case.document_id),
    }
    return said, explanation.rule.value


def _placed(place: str, policy: Policy) -> dict[str, Policy | None]:
    """The policy where it counts, and something that would let everybody in where nothing counts."""
    if place == "none":
        return {"space_policy": policy, "own": None}
    if place == "alone":
        return {"space_policy": ELSEWHERE, "own": policy}
    assert place == "extends the space's"
    # A half of it in each: the denials in the space's, the grants in the document's.
    return {
        "space_policy": Policy(frozenset(), policy.deny),
        "own": Policy(policy.allow, frozenset(), extends_space=True),
    }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("case", "rule"), READING, ids=lambda value: value if isinstance(value, str) else None)
def test_reading_is_decided_as_the_table_says(
    connection: Connection, place: str, case: tuple[bool, ...], rule: str
) -> None:
    active, deleted, denied, granted, cleared = case
    policy = Policy(
        frozenset({Grant("group:outer", Role.READER)} if granted else {Grant("user:other", Role.MANAGER)}),
        frozenset({Denial("group:inner")} if denied else {Denial("group:other")}),
    )
    made = _make(connection, **_placed(place, policy), active=active, deleted=deleted, cleared=cleared)  # type: ignore[arg-type]
    assert _decisions(connection, made) == ({rule == "granted"}, rule)


@pytest.mark.parametrize(("begins", "ends", "counts"), _table("When does an entry count?"))
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_an_entry_counts_as_the_table_says(
    connection: Connection, effect: str, begins: str, ends: str, counts: str
) -> None:
    period = Period(EARLIER[begins], MOMENTS[ends])
    if effect == "allow":
        policy = Policy(frozenset({Grant("user:the-person", Role.READER, period)}))
        readable = counts == "yes"
    else:
        policy = Policy(frozenset({Grant("everyone", Role.READER)}), frozenset({Denial("group:outer", period)}))
        readable = counts == "no"
    made = _make(connection, space_policy=policy, own=None)
    assert _decisions(connection, made)[0] == {readable}


@pytest.mark.parametrize(("role", "reads", "changes", "shares"), _table("What may a role do?"))
def test_a_role_may_do_what_the_table_says(
    connection: Connection, role: str, reads: str, changes: str, shares: str
) -> None:
    granted = set() if role == "none" else {Grant("group:outer", Role(role), ALWAYS)}
    made = _make(connection, space_policy=Policy(frozenset(granted)), own=None)
    caller = access.resolve_caller(connection, made.user_id)
    document = documents.get(connection, made.document_id)
    assert caller is not None
    assert document is not None
    held = access.role_under(connection, caller, document.policy_id)
    allowed = [held is not None and held.includes(needed) for needed in (Role.READER, Role.EDITOR, Role.MANAGER)]
    assert allowed == [cell == "yes" for cell in (reads, changes, shares)]
    assert _decisions(connection, made)[0] == {reads == "yes"}


def test_nothing_but_the_last_row_lets_anybody_in(connection: Connection) -> None:
    """Not being an administrator, not being an auditor, not having made the document."""
    made = _make(connection, space_policy=Policy(), own=None)
    connection.execute(sa.update(users_table).values(is_admin=True, is_auditor=True))
    connection.execute(sa.text("UPDATE documents SET created_by = :id"), {"id": made.user_id})
    assert _decisions(connection, made) == ({False}, "not_named")
