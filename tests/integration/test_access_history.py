"""What decided then is what is on record, whoever changed it since; a preview says what will happen."""

import contextlib
import random
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.errors import NotFound, Unprocessable
from kbcore.metadata import access_history, access_preview, documents, groups, spaces, users
from kbcore.metadata.access_history import guards_at
from kbcore.metadata.database import Database
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.policies import intern_policy, replace_policy
from kbcore.metadata.rights import read_rights
from kbcore.metadata.tables import users as users_table
from kbcore.permissions.explain import Guards, explain
from kbcore.permissions.policy import Denial, Grant, Policy, Role
from services.library.preview import preview_document, preview_space

PEOPLE, GROUPS, DOCUMENTS = 6, 4, 5


class World:
    """A small organisation that changes at random."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self.connection = connection
        self.chance = random.Random(seed)
        self.people = [
            users.create_user(
                connection,
                name=f"p{number}-{seed}",
                display_name="p",
                email=None,
                clearance=self.chance.choice(list(Classification)),
                is_admin=False,
            ).id
            for number in range(PEOPLE)
        ]
        made = [groups.create_group(connection, name=f"g{number}-{seed}", title="g") for number in range(GROUPS)]
        self.groups = [group.id for group in made]
        self.space = spaces.create_space(connection, name=f"s-{seed}", title="s", policy=self.policy())
        self.documents = [self.document(number) for number in range(DOCUMENTS)]

    def principal(self) -> str:
        people, sets = [f"user:{person}" for person in self.people], [f"group:{group}" for group in self.groups]
        return self.chance.choice(["everyone", *people, *sets, *sets])

    def policy(self, *, extends_space: bool = False) -> Policy:
        denied = {self.principal() for _ in range(self.chance.randint(0, 1))}
        allowed = {self.principal() for _ in range(self.chance.randint(0, 4))} - denied
        grants = frozenset(Grant(who, Role.READER) for who in allowed)
        return Policy(grants, frozenset(map(Denial, denied)), extends_space)

    def document(self, number: int) -> str:
        document_id = f"d{number}-{self.space.id}"
        level = self.chance.choice(list(Classification))
        new = NewDocument(document_id, self.space.id, None, "t", level, (), {}, None, None, "x")
        documents.insert(self.connection, new)
        return document_id

    def own_policy(self) -> int | None:
        if self.chance.random() < 0.3:
            return None
        policy = self.policy(extends_space=self.chance.random() < 0.5)
        return intern_policy(self.connection, policy, of_space=self.space.policy_id)

    def change(self) -> None:
        """One random change of something that decides."""
        connection, chance = self.connection, self.chance
        person, document, group = (chance.choice(kind) for kind in (self.people, self.documents, self.groups))
        match chance.randrange(7):
            case 0:
                replace_policy(connection, self.space.policy_id, self.policy())
            case 1:
                documents.update(connection, document, own_policy_id=self.own_policy())
            case 2:
                documents.update(connection, document, classification=int(chance.choice(list(Classification))))
            case 3:
                users.update_user(connection, person, {"clearance": int(chance.choice(list(Classification)))})
            case 4:
                users.update_user(connection, person, {"active": chance.random() < 0.7})
            case 5:
                member = f"user:{person}" if chance.random() < 0.6 else f"group:{chance.choice(self.groups)}"
                with contextlib.suppress(Unprocessable):  # a cycle
                    groups.add_members(connection, group, [member])
            case 6:
                for member in groups.list_members(connection, group)[:1]:
                    groups.remove_member(connection, group, member)

    def readable(self) -> set[tuple[str, str]]:
        """Who may read what now, by the plain rules on plain rows."""
        rights = read_rights(self.connection, self.people, self.documents)
        return {(p, d) for p in self.people for d in self.documents if rights.may_read(p, d)}


def _moment(connection: Connection) -> datetime:
    moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return moment


@pytest.mark.parametrize("seed", range(4))
def test_the_record_tells_at_any_moment_what_was_decided_then(database: Database, seed: int) -> None:
    with database.begin() as connection:
        world = World(connection, seed)
    recorded: list[tuple[datetime, set[tuple[str, str]]]] = []
    for _ in range(12):
        with database.begin() as connection:
            world.connection = connection
            for _ in range(4):
                world.change()
            recorded.append((_moment(connection), world.readable()))
    with database.begin() as connection:
        removed = world.people.pop()
        users.delete_user(connection, removed)  # whoever is gone is still on record
        documents.mark_deleted(connection, world.documents[0], "x")
    with database.begin() as connection:
        for at, readable in recorded:
            found = {
                (person, document)
                for person in (*world.people, removed)
                for document in world.documents
                if explain(person, guards_at(connection, person, document, at).guards).readable
            }
            assert found == readable, at
        world.connection = connection
        present = {
            (person, document)
            for person in world.people
            for document in world.documents
            if explain(person, guards_at(connection, person, document, None).guards).readable
        }
        assert present == world.readable()


def test_before_the_record_and_before_the_document_nothing_is_said(database: Database) -> None:
    with database.begin() as connection:
        before = _moment(connection)
        world = World(connection, 99)
    with database.begin() as connection:
        with pytest.raises(NotFound):
            guards_at(connection, world.people[0], world.documents[0], before)
        with pytest.raises(Unprocessable) as refused:
            guards_at(connection, world.people[0], world.documents[0], datetime(2001, 1, 1, tzinfo=UTC))
    assert refused.value.code == "before_history"


def test_a_clock_that_was_set_back_does_not_bring_back_what_was_taken_away(database: Database) -> None:
    with database.begin() as connection:
        world = World(connection, 7)
        person, document = world.people[0], world.documents[0]
        users.update_user(connection, person, {"active": True})
        # As if the clock had stood an hour later when that was written.
        connection.execute(
            sa.text("UPDATE access_changes SET at = at + interval '1 hour' WHERE relation = 'users' AND key = :key"),
            {"key": person},
        )
    with database.begin() as connection:
        users.update_user(connection, person, {"active": False})
    with database.begin() as connection:
        later = _moment(connection) + timedelta(hours=2)
        row = access_history._past(connection, person, document, later)
        assert row.guards.active is False


def test_a_future_moment_is_judged_by_the_entries_that_count_then(database: Database) -> None:
    with database.begin() as connection:
        world = World(connection, 7)
        person, document = world.people[0], world.documents[0]
        users.update_user(connection, person, {"clearance": int(Classification.RESTRICTED)})
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        from_tomorrow = connection.execute(
            sa.text("INSERT INTO policies (digest) VALUES (:digest) RETURNING id"), {"digest": f"x-{document}"}
        ).scalar_one()
        connection.execute(
            sa.text(
                "INSERT INTO policy_entries (policy_id, principal, role, effective_from)"
                " VALUES (:policy, :who, 'reader', :begins)"
            ),
            {"policy": from_tomorrow, "who": f"user:{person}", "begins": tomorrow},
        )
        documents.update(connection, document, own_policy_id=from_tomorrow)

        def readable(at: datetime | None) -> bool:
            return explain(person, guards_at(connection, person, document, at).guards).readable

        assert not readable(None)
        assert not readable(tomorrow - timedelta(seconds=1))
        assert readable(tomorrow)


@pytest.mark.parametrize("seed", range(20, 28))
def test_a_preview_says_exactly_who_gains_and_who_loses_what(database: Database, seed: int) -> None:
    with database.begin() as connection:
        world = World(connection, seed)
        for _ in range(15):
            world.change()
        world.people += World(connection, seed + 1000).people  # whose own space must not be counted
        for _ in range(6):
            before = world.readable()
            if world.chance.random() < 0.5:
                policy = world.policy()
                found = preview_space(connection, world.space.id, policy, limit=100)
                replace_policy(connection, world.space.policy_id, policy)
            else:
                document = documents.get(connection, world.chance.choice(world.documents))
                assert document is not None
                own = None if world.chance.random() < 0.3 else world.policy(extends_space=world.chance.random() < 0.5)
                found = preview_document(connection, document, own, limit=100)
                own_id = None if own is None else intern_policy(connection, own, of_space=world.space.policy_id)
                documents.update(connection, document.id, own_policy_id=own_id)
            after = world.readable()
            assert _pairs(found["gains"]) == after - before
            assert _pairs(found["loses"]) == before - after
        connection.rollback()


def _pairs(change: access_preview.Change) -> set[tuple[str, str]]:
    assert change.people == len(change.first)
    assert all(each.documents == len(each.document_ids) for each in change.first)
    return {(each.user_id, document) for each in change.first for document in each.document_ids}


def test_every_column_that_decides_is_watched(database: Database) -> None:
    """Changing each column that the guards are read from leaves a record."""
    with database.begin() as connection:
        world = World(connection, 5)
        connection.execute(sa.text("DELETE FROM access_changes"))
        connection.execute(sa.update(users_table).where(users_table.c.id == world.people[0]).values(display_name="x"))
        assert _relations(connection) == set()
        connection.execute(sa.update(users_table).where(users_table.c.id == world.people[0]).values(active=False))
        documents.update(connection, world.documents[0], own_policy_id=None, title="no change of rights")
        assert _relations(connection) == {"users"}
        documents.update(connection, world.documents[0], classification=3 - int(_level(connection, world.documents[0])))
        replace_policy(connection, world.space.policy_id, Policy(frozenset({Grant("user:new", Role.READER)})))
        groups.add_members(connection, world.groups[0], ["user:new"])
        assert _relations(connection) == {"users", "documents", "policy_entries", "group_members"}
        connection.rollback()


def _relations(connection: Connection) -> set[str]:
    return set(connection.execute(sa.text("SELECT relation FROM access_changes")).scalars())


def _level(connection: Connection, document_id: str) -> int:
    found = documents.get(connection, document_id)
    assert found is not None
    return int(found.classification)


def test_an_explanation_names_the_way_through_the_groups() -> None:
    members = {"a": {"user:u"}, "b": {"group:a"}, "c": {"group:b", "group:c"}}
    guards = Guards(
        at=datetime.now(UTC),
        active=True,
        clearance=Classification.INTERNAL,
        members=members,
        deleted=False,
        classification=Classification.INTERNAL,
        own=None,
        of_space=Policy(frozenset({Grant("group:c", Role.EDITOR), Grant("everyone", Role.READER)})),
    )
    found = explain("u", guards)
    assert [named.path for named in found.named] == [
        ("user:u", "group:a", "group:b", "group:c"),
        ("user:u", "everyone"),
    ]
    assert found.role is Role.EDITOR
