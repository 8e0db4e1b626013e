"""Evaluations in SQL. A job of kind `evaluate` or `calibrate` does one; `passed` is what a promotion reads."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from kbcore.domain.evaluation import Evaluation, Gate
from kbcore.domain.ids import new_id
from kbcore.domain.job import JobKind
from kbcore.metadata import jobs
from kbcore.metadata.tables import evaluations, golden_sets

_SELECT = sa.select(*evaluations.c, golden_sets.c.name.label("golden_set")).join(
    golden_sets, golden_sets.c.id == evaluations.c.golden_set_id
)

_DECIDING = sa.text("""
    SELECT e.id FROM evaluations e LEFT JOIN generations g ON g.id = e.generation_id
    WHERE e.generation_id = :generation_id AND e.gate IS NOT NULL AND (
        jsonb_typeof(g.gate) IS DISTINCT FROM 'object' OR (
            e.golden_set_id = g.gate->>'golden_set_id'
            AND COALESCE(CAST(e.gate->>'min_ndcg' AS float), 0) >= COALESCE(CAST(g.gate->>'min_ndcg' AS float), 0)
            AND CAST(e.gate->>'max_drop' AS float) <= CAST(g.gate->>'max_drop' AS float)
            AND e.baseline_id IN (SELECT id FROM generations WHERE live_at IS NOT NULL AND id <> g.id)
        )
    )
    ORDER BY e.id DESC LIMIT 1
""")


def start(
    connection: Connection,
    *,
    golden_set_id: str,
    generation_id: int,
    baseline_id: int | None,
    gate: Mapping[str, Any] | None,
    created_by: str,
    calibrate: bool = False,
) -> tuple[str, str]:
    """Queue the measurement of a generation, compared with `baseline_id` if that is given; (evaluation, job).

    `gate` holds `min_ndcg` and `max_drop` (see `Gate.of`); None = only a measurement. With `calibrate` the evidence for
    answers is weighed, too: the job's kind says so. An API process finds the job in SQL by itself: it is never sent to
    the queue.
    """
    evaluation_id = new_id()
    kind = JobKind.CALIBRATE if calibrate else JobKind.EVALUATE
    job_id = jobs.insert(connection, kind, created_by=created_by, subject=evaluation_id)
    thresholds = None if gate is None else Gate.of(gate)
    connection.execute(
        evaluations.insert().values(
            id=evaluation_id,
            golden_set_id=golden_set_id,
            generation_id=generation_id,
            baseline_id=baseline_id,
            gate=sa.null()
            if thresholds is None
            else {"min_ndcg": thresholds.min_ndcg, "max_drop": thresholds.max_drop},
            report=sa.null(),
            job_id=job_id,
            created_by=created_by,
        )
    )
    return evaluation_id, job_id


def get(connection: Connection, evaluation_id: str) -> Evaluation | None:
    """One evaluation."""
    row = connection.execute(_SELECT.where(evaluations.c.id == evaluation_id)).one_or_none()
    return None if row is None else _evaluation(row._mapping)


def list_of(connection: Connection, *, after: str | None, limit: int) -> list[Evaluation]:
    """Evaluations, newest first; `after` is the last id of the page before."""
    query = _SELECT.order_by(evaluations.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(evaluations.c.id < after)
    return [_evaluation(row._mapping) for row in connection.execute(query)]


def latest_gate_of(connection: Connection, generation_id: int) -> Evaluation | None:
    """The newest evaluation that decides whether a generation may go live: `passed` is None until it has finished.

    Where the generation was ordered with a gate, that is one on the same golden set, with thresholds no weaker, against
    an index that is or was live: measuring something easier opens nothing.
    """
    row = connection.execute(_DECIDING, {"generation_id": generation_id}).one_or_none()
    return None if row is None else get(connection, row.id)


def finish(connection: Connection, evaluation_id: str, *, report: Mapping[str, Any], passed: bool | None) -> None:
    """Keep what was measured, and whether the gate let it pass (None without a gate)."""
    connection.execute(
        evaluations.update()
        .where(evaluations.c.id == evaluation_id)
        .values(report=dict(report), passed=passed, finished_at=sa.func.now())
    )


def _evaluation(row: RowMapping) -> Evaluation:
    return Evaluation(**{**row, "gate": None if row["gate"] is None else Gate.of(row["gate"])})
