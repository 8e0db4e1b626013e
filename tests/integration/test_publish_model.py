"""Random histories of uploads, publications, kills, deletions and wipes, against a plain-Python model of what each
epoch looked like. The store is the exact one in memory; PostgreSQL is real."""

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
from kbcore.metadata.database import Database
from kbcore.metadata.tables import audit_head, epoch, metadata
from kbcore.vectors.memory import MemoryStore
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


class PublishMachine(RuleBasedStateMachine):
    """Model: `history[epoch][document]` is what a reader at that epoch sees."""

    platform: Platform
    documents = Bundle("documents")

    @initialize()
    def start(self) -> None:
        empty(self.platform.database)
        self.platform.__dict__["vectors"] = MemoryStore()
        self.library = Library.open(self.platform)
        self.publisher = Publisher(self.platform)
        self.space = self.library.space()
        self.staged: dict[str, list[list[str]]] = {}
        self.deleted: set[str] = set()
        self.now: dict[str, list[str]] = {}
        self.history: dict[int, dict[str, list[str]]] = {0: {}}

    @rule(target=documents, passages=PASSAGES)
    def add(self, passages: list[str]) -> str:
        document = self.library.document(self.space)
        self._stage(document, passages)
        return document

    @rule(document=documents, passages=PASSAGES)
    def change(self, document: str, passages: list[str]) -> None:
        self._stage(document, passages)

    @rule(document=consumes(documents))
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

    def teardown(self) -> None:
        self.publisher.publish_staged()
        assert_index_equals_sql(self.library)

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
