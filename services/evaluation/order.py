"""Ordering an evaluation: the set, the generation, what it is compared with, and the gate must fit together."""

from sqlalchemy import Connection

from kbcore.domain.evaluation import Gate
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, NotFound, Unprocessable
from kbcore.metadata import evaluations, generations
from kbcore.metadata.generations import Generation, GenerationState
from services.evaluation.gate import require_judgeable
from services.evaluation.golden_sets import known_set


def order_evaluation(
    connection: Connection,
    caller: Caller,
    *,
    golden_set: str,
    generation: int | None,
    compare_with: int | None,
    gate: Gate | None,
    calibrate: bool = False,
) -> tuple[str, str]:
    """Queue it and return the ids of evaluation and job. `generation` None = the live one.

    Raises `NotFound` (golden set, index), `Conflict` (`index_not_ready`), `Unprocessable` (`golden_set_too_small`,
    `gate_needs_measure`).
    """
    golden = known_set(connection, golden_set)
    if gate is not None:
        require_judgeable(golden)
        if gate.min_ndcg is None and compare_with is None:
            raise Unprocessable("A gate needs `min_ndcg`, or `compare_with`.", code="gate_needs_measure")
    judged = _searchable(connection, generation)
    baseline = None if compare_with is None else _searchable(connection, compare_with)
    return evaluations.start(
        connection,
        golden_set_id=golden.id,
        generation_id=judged.id,
        baseline_id=None if baseline is None else baseline.id,
        gate=None if gate is None else {"min_ndcg": gate.min_ndcg, "max_drop": gate.max_drop},
        created_by=caller.user_id,
        calibrate=calibrate,
    )


def _searchable(connection: Connection, generation_id: int | None) -> Generation:
    found = generations.live(connection) if generation_id is None else generations.get(connection, generation_id)
    if found is None or found.state not in generations.KEPT:
        raise NotFound("index")
    if found.state is GenerationState.BUILDING:
        raise Conflict(f"Index {found.id} is still being built.", code="index_not_ready")
    return found
