"""Evaluations are jobs that no worker takes and no message carries: an API process finds them in SQL."""

import sqlalchemy as sa

from kbcore.domain.job import JobKind, JobState
from kbcore.metadata import evaluations, golden_sets, jobs
from kbcore.metadata.database import Database
from kbcore.metadata.jobs import Order


def start(database: Database, gate: dict[str, float] | None = None) -> tuple[str, str]:
    with database.begin() as connection:
        known = golden_sets.get(connection, "set")
        golden = known or golden_sets.insert_set(connection, name="set", questions=(), created_by="u")
        return evaluations.start(
            connection, golden_set_id=golden.id, generation_id=2, baseline_id=1, gate=gate, created_by="u"
        )


def test_only_who_asks_for_the_kind_gets_it(database: Database) -> None:
    _, first = start(database)
    _, second = start(database)
    with database.begin() as connection:
        assert jobs.claim(connection, first, "worker", 30) is None
        taken = jobs.claim_next(connection, JobKind.EVALUATE, "api", 30)
        assert taken is not None
        assert (taken.id, taken.state, taken.attempts) == (first, JobState.RUNNING, 1)
        other = jobs.claim_next(connection, JobKind.EVALUATE, "other", 30)
        assert other is not None
        assert other.id == second
        assert jobs.claim_next(connection, JobKind.EVALUATE, "third", 30) is None
        assert jobs.claim_next(connection, JobKind.INGEST, "third", 30) is None


def test_a_silent_holders_job_is_taken_over_and_it_must_let_go(database: Database) -> None:
    _, job_id = start(database)
    with database.begin() as connection:
        jobs.claim_next(connection, JobKind.EVALUATE, "killed", 30)
        connection.execute(sa.text("UPDATE jobs SET lease_until = now() - interval '1 second'"))
        taken = jobs.claim_next(connection, JobKind.EVALUATE, "successor", 30)
        assert taken is not None
        assert (taken.id, taken.attempts) == (job_id, 2)
        assert jobs.progress(connection, job_id, "killed", "search", 1, 2) is Order.LET_GO
        assert jobs.progress(connection, job_id, "successor", "search", 1, 2) is Order.GO_ON


def test_the_sweeper_neither_sends_nor_frees_nor_waits_for_it(database: Database) -> None:
    start(database)
    _, silent = start(database)
    with database.begin() as connection:
        ingest = jobs.insert(connection, JobKind.INGEST, created_by="u")
        connection.execute(sa.text("UPDATE jobs SET sent_at = now() - interval '1 hour'"))
        running = sa.text("UPDATE jobs SET state = 'running', lease_until = now() - interval '1 s' WHERE id = :id")
        connection.execute(running, {"id": silent})
        assert jobs.busy(connection)
        assert jobs.unsent(connection, older_than_s=5, limit=10) == [ingest]
        connection.execute(jobs.jobs.delete().where(jobs.jobs.c.id == ingest))
        assert jobs.expire(connection) == []
        assert not jobs.busy(connection)
        assert jobs.unsent(connection, older_than_s=5, limit=10) == []
        assert jobs.overtaken(connection, by_s=60, limit=10) == []


def test_the_newest_gate_of_a_generation_is_what_counts(database: Database) -> None:
    first, _ = start(database, {"min_ndcg": 0.5})
    start(database)  # a measurement without a gate decides nothing
    with database.begin() as connection:
        evaluations.finish(connection, first, report={"questions": 5}, passed=True)
        latest = evaluations.latest_gate_of(connection, 2)
        assert latest is not None
        assert (latest.id, latest.passed, latest.golden_set) == (first, True, "set")
        assert latest.gate is not None
        assert (latest.gate.min_ndcg, latest.gate.max_drop) == (0.5, 0.02)
        assert latest.finished_at is not None
    again, _ = start(database, {"max_drop": 0.1})
    with database.begin() as connection:
        latest = evaluations.latest_gate_of(connection, 2)
        assert latest is not None
        assert (latest.id, latest.passed) == (again, None)
        assert evaluations.latest_gate_of(connection, 1) is None
