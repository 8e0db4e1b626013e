"""What SQL decides is what the plain rules say, on random people, groups, policies and documents."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.metadata import access, documents, spaces
from kbcore.metadata.database import Database
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.policies import intern_policy, read_policy, replace_policy
from kbcore.metadata.spaces import policy_of_space
from kbcore.metadata.tables import group_members, groups, users
from kbcore.permissions.policy import ALWAYS, Denial, Grant, Period, Policy, Role, policy_that_counts
from kbcore.permissions.resolve import may_read, principals_of, readable_policies

USERS = ("u0", "u1", "u2")
GROUPS = ("g0", "g1", "g2", "g3")
PRINCIPALS = ("everyone", *(f"user:{user}" for user in USERS), *(f"group:{group}" for group in GROUPS))

principals = st.sampled_from(PRINCIPALS)
levels = st.sampled_from(Classification)
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
periods = st.sampled_from(
    [ALWAYS, Period(NOW - DAY), Period(NOW + DAY), Period(None, NOW - DAY), Period(None, NOW + DAY)]
)
"""Far enough from the moment of the test that it does not matter when in it the database asks."""


def _policy(entries: dict[str, tuple[Role | None, Period]], extends_space: bool = False) -> Policy:
    return Policy(
        frozenset(Grant(who, role, period) for who, (role, period) in entries.items() if role is not None),
        frozenset(Denial(who, period) for who, (role, period) in entries.items() if role is None),
        extends_space,
    )


entries = st.dictionaries(principals, st.tuples(st.sampled_from([*Role, None]), periods), max_size=6)
policies = st.builds(_policy, entries)
own_policies = st.builds(_policy, entries, st.booleans())


@dataclass(frozen=True)
class World:
    """People, who is in which group, a space's policy, and documents as (own policy, level)."""

    clearances: tuple[Classification, ...]
    active: tuple[bool, ...]
    members: dict[str, frozenset[str]]
    space_policy: Policy
    documents: tuple[tuple[Policy | None, Classification], ...]


worlds = st.builds(
    World,
    clearances=st.tuples(levels, levels, levels),
    active=st.tuples(st.booleans(), st.just(True), st.just(True)),
    # Cycles and self-membership on purpose: the API refuses them, reading must survive them.
    members=st.fixed_dictionaries(
        {group: st.frozensets(st.sampled_from(PRINCIPALS[1:]), max_size=4) for group in GROUPS}
    ),
    space_policy=policies,
    documents=st.lists(st.tuples(st.none() | own_policies, levels), min_size=1, max_size=4).map(tuple),
)


@given(world=worlds)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_agrees_with_the_rules(database: Database, world: World) -> None:
    with database.begin() as connection:
        space_policy_id, ids = _build(connection, world)
        for user, clearance, active in zip(USERS, world.clearances, world.active, strict=True):
            caller = access.resolve_caller(connection, user)
            held = principals_of(user, world.members)
            assert (caller is not None) == active
            visible = {document.id for document in documents.list_readable(connection, user, limit=100)}
            if caller is None:
                assert visible == set()
                continue
            assert caller.principals == held
            assert access.role_under(connection, caller, space_policy_id) is world.space_policy.role_of(held, NOW)
            expected = {
                document_id
                for document_id, (own, level) in zip(ids, world.documents, strict=True)
                if may_read(
                    held,
                    clearance,
                    own_policy=own,
                    space_policy=world.space_policy,
                    classification=level,
                    at=NOW,
                )
            }
            assert visible == expected
            counting = _policies_that_count(connection)
            assert access.read_scope(connection, caller).policy_ids == readable_policies(held, counting, NOW)
            for policy_id, policy in counting.items():
                assert access.role_under(connection, caller, policy_id) is policy.role_of(held, NOW)
        connection.rollback()


@given(first=own_policies, second=own_policies)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_document_policies_share_one_id_and_mean_what_was_set(
    database: Database, first: Policy, second: Policy
) -> None:
    with database.begin() as connection:
        space = spaces.create_space(connection, name="s", title="s", policy=Policy()).policy_id
        one, two = (intern_policy(connection, policy, of_space=space) for policy in (first, second))
        assert (read_policy(connection, one), read_policy(connection, two)) == (first, second)
        assert (one == two) == (first == second)
        connection.rollback()


def test_replacing_a_space_policy_leaves_nothing_of_the_old_one(database: Database) -> None:
    old = Policy(frozenset({Grant("everyone", Role.MANAGER)}), frozenset({Denial("user:u1")}))
    new = Policy(frozenset({Grant("user:u1", Role.READER)}))
    with database.begin() as connection:
        space = spaces.create_space(connection, name="s", title="s", policy=old)
        replace_policy(connection, space.policy_id, new)
        assert read_policy(connection, space.policy_id) == new


def _policies_that_count(connection: Connection) -> dict[int, Policy]:
    """By row: what it stands for, its parent's entries included."""
    rows = connection.execute(sa.text("SELECT id, parent_id FROM policies")).all()
    return {
        row.id: policy_that_counts(
            read_policy(connection, row.id),
            Policy() if row.parent_id is None else read_policy(connection, row.parent_id),
        )
        for row in rows
    }


def _build(connection: Connection, world: World) -> tuple[int, list[str]]:
    connection.execute(
        users.insert(),
        [
            {"id": user, "name": user, "display_name": user, "clearance": int(clearance), "active": active}
            for user, clearance, active in zip(USERS, world.clearances, world.active, strict=True)
        ],
    )
    connection.execute(groups.insert(), [{"id": group, "name": group, "title": group} for group in GROUPS])
    rows = [{"group_id": group, "member": member} for group, inside in world.members.items() for member in inside]
    if rows:
        connection.execute(group_members.insert(), rows)
    space = spaces.create_space(connection, name="s", title="s", policy=world.space_policy)
    ids = [_document(connection, space.id, number, *document) for number, document in enumerate(world.documents)]
    return space.policy_id, ids


def _document(connection: Connection, space_id: str, number: int, own: Policy | None, level: Classification) -> str:
    document_id = f"d{number}"
    new = NewDocument(document_id, space_id, None, "t", level, (), {}, None, None, "u0")
    documents.insert(connection, new)
    connection.execute(
        sa.text(
            "INSERT INTO versions (document_id, number, sha256, size, file_name, media_type, title, state, created_by)"
            " VALUES (:id, 1, '', 0, '', '', '', 'pending', 'u0')"
        ),
        {"id": document_id},
    )
    own_id = None if own is None else intern_policy(connection, own, of_space=policy_of_space(connection, space_id))
    documents.update(connection, document_id, own_policy_id=own_id, latest_version=1)
    return document_id
