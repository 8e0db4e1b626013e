"""Random histories of uploads, publications, moves to other policies and levels, removals, kills, deletions and wipes,
against a plain-Python model of what each epoch looked like. The store is the exact one in memory; PostgreSQL is real.

After every step the statistics of the keyword leg are those of a recount."""

from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ingestion.index.reconcile import reconcile
from ingestion.publish import Publisher, PublishStep
from kbcore.bootstrap import Platform
from kbcore.errors import Unavailable
from kbcore.language.weights import unpack
from kbcore.metadata import documents, policies, removal
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_head, epoch, metadata
from kbcore.permissions.policy import Grant, Policy, Role
from kbcore.vectors.memory import MemoryStore
from tests.integration.counting import assert_stamps_are_present, assert_statistics_are_exact
from tests.integration.staging import Library
from tests.integration.test_publish import Killed, assert_index_equals_sql, killed_at

PASSAGES = st.lists(st.sampled_from("abcdefg"), max_size=5)


def empty(database: Database) -> None:
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with database.begin() as connection:
        connection.exec_driver_sql(
            "SET LOCAL session_replication_role = replica"
        )  # the audit log refuses to be emptied
        connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        connection.execute(epoch.insert().values(value=0))
        connection.execute(audit_head.insert().values(seq=0, mac=b""))


class Away(MemoryStore):
    """A vector store that does not answer when rows are re-stamped."""

    def restamp(self, collection: str, document_key: int, *, policy_id: int, level: int) -> None:
        raise Unavailable("away")


class PublishMachine(RuleBasedStateMachine):
    """Model: `history[epoch][document]` is what a reader at that epoch sees."""

    platform: Platform
    added = Bundle("added")

    @initialize()
    def start(self) -> None:
        empty(self.platform.database)
        self.platform.__dict__["vectors"] = MemoryStore()
        self.library = Library.open(self.platform)
        self.publisher = Publisher(self.platform)
        self.space = self.library.space()
        self.staged: dict[str, list[list[str]]] = {}
        self.deleted: set[str] = set()
        self.moved: set[str] = set()
        self.now: dict[str, list[str]] = {}
        self.history: dict[int, dict[str, list[str]]] = {0: {}}

    @rule(target=added, passages=PASSAGES)
    def add(self, passages: list[str]) -> str:
        document = self.library.document(self.space)
        self._stage(document, passages)
        return document

    @rule(document=added, passages=PASSAGES)
    def change(self, document: str, passages: list[str]) -> None:
        self._stage(document, passages)

    @rule(document=added, own=st.booleans(), level=st.integers(0, 3))
    def move(self, document: str, own: bool, level: int) -> None:
        """To a policy of its own or back to the space's, and to a level; the job that stamps rows comes later."""
        with self.platform.database.begin() as connection:
            policy = Policy(frozenset({Grant("user:somebody", Role.READER)}))
            policy_id = policies.intern_policy(connection, policy) if own else None
            documents.update(connection, document, own_policy_id=policy_id, classification=level)
        self.moved.add(document)

    @rule()
    def restamp(self) -> None:
        while self.moved:
            self.publisher.restamp(self.moved.pop())

    @rule(document=added)
    def restamp_without_milvus(self, document: str) -> None:
        """Killed between SQL and Milvus, or Milvus away: the job comes again."""
        store = self.platform.vectors
        self.platform.__dict__["vectors"] = Away()
        with suppress(Unavailable):
            self.publisher.restamp(document)
        self.platform.__dict__["vectors"] = store
        self.moved.add(document)

    @rule(document=consumes(added))
    def erase(self, document: str) -> None:
        """All its rows, as an erasure takes them out of SQL."""
        self.platform.vectors.delete_document(self.library.generation.collection, self._key(document))
        with self.platform.database.begin() as connection:
            removal.remove_rows(connection, removal.rows_of_document(connection, document), unpack)
            documents.mark_deleted(connection, document, "test")
        self.staged.pop(document, None)
        self.now.pop(document, None)
        for seen in self.history.values():
            seen.pop(document, None)

    @rule(document=consumes(added))
    def delete(self, document: str) -> None:
        self.library.delete(document)
        self.staged.pop(document, None)
        self.deleted.add(document)

    @rule()
    def publish(self) -> None:
        self.publisher.publish_staged()
        self._settle()

    @rule(step=st.sampled_from(PublishStep))
    def kill(self, step: PublishStep) -> None:
        before = self.library.epoch()
        with suppress(Killed):  # not raised where there is nothing to publish
            Publisher(self.platform, reached=killed_at(step)).publish_staged()
        for number in range(before + 1, self.library.epoch() + 1):
            self._advance(number)

    @rule()
    def wipe_the_index(self) -> None:
        collection = self.library.generation.collection
        self.platform.vectors.drop(collection)
        self.platform.vectors.create(collection, self.library.generation.dimension)
        reconcile(self.platform, self.library.generation)

    @invariant()
    def every_epoch_reads_as_it_was(self) -> None:
        for number, seen in self.history.items():
            for document in {*seen, *self.staged, *self.deleted}:
                assert self.library.passages(document, number) == seen.get(document, [])

    @invariant()
    def statistics_are_those_of_a_recount(self) -> None:
        assert_statistics_are_exact(self.platform.database)

    def teardown(self) -> None:
        self.publisher.publish_staged()
        self.restamp()
        assert_stamps_are_present(self.platform.database)
        assert_index_equals_sql(self.library)

    def _key(self, document: str) -> int:
        with self.platform.database.begin() as connection:
            found = documents.get(connection, document)
        assert found is not None
        return found.key

    def _stage(self, document: str, passages: list[str]) -> None:
        self.library.stage(document, passages)
        self.staged.setdefault(document, []).append(passages)

    def _advance(self, number: int) -> None:
        """One publication: the next staged version of each document, and all withdrawals."""
        for document in list(self.staged):
            waiting = self.staged[document]
            if waiting:
                self.now[document] = waiting.pop(0)
        for document in self.deleted:
            self.now.pop(document, None)
        self.history[number] = dict(self.now)

    def _settle(self) -> None:
        number = max(self.history)
        while any(self.staged.values()) or self.deleted & self.now.keys() or number < self.library.epoch():
            number += 1
            self._advance(number)
        assert number == self.library.epoch()


def test_every_history_reads_as_the_model_says(platform: Platform) -> None:
    machine = type("Machine", (PublishMachine,), {"platform": platform})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
