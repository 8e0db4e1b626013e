"""Index generations as administrators handle them: build another, let it go live, go back, drop it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kbcore.bootstrap import Platform
from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, NotFound, Unavailable, Unprocessable
from kbcore.language.analyzer import ANALYZERS
from kbcore.metadata import documents, evaluations, generations, jobs, publications
from kbcore.metadata.generations import FOLLOWING, Generation, GenerationState, NewGeneration
from services.evaluation.gate import require_judgeable
from services.evaluation.golden_sets import known_set
from services.library.access import visible_space
from services.library.revise import reparse


@dataclass(frozen=True, slots=True)
class GateOrder:
    """What the new index must reach: on the golden set named `golden_set`; see `kbcore.domain.evaluation.Gate`."""

    golden_set: str
    min_ndcg: float | None
    max_drop: float


@dataclass(frozen=True, slots=True)
class Reindex:
    """What to change; None = as the live index has it. `spaces` (names or ids) narrows a change of the chunking."""

    spaces: Sequence[str] | None = None
    embedding: str | None = None
    max_tokens: int | None = None
    min_tokens: int | None = None
    analyzer: str | None = None
    gate: GateOrder | None = None


def documents_to_reparse(connection: Connection, caller: Caller, spaces: Sequence[str] | None) -> list[str]:
    """The documents of these spaces, or of all. Raises `NotFound("space")`."""
    chosen = None if spaces is None else [visible_space(connection, caller, space).space.id for space in spaces]
    return documents.ids_of(connection, chosen)


def order_reparse(connection: Connection, caller: Caller, document_ids: Sequence[str]) -> list[str]:
    """Queue reading the bytes of these documents again; returns the jobs. Some hundred at a time: each stays locked.

    Each becomes a new version if something else is read than before; edits of the text are laid over it. Documents
    that are being ingested, or were never indexed, are left alone.
    """
    ordered: list[str] = []
    for document_id in sorted(document_ids):
        document = documents.lock(connection, document_id)
        if document is None:
            continue
        try:
            ordered += reparse(connection, caller, document, "read again while the index was re-built").to_send
        except Conflict:
            continue
    return ordered


def order_reindex(connection: Connection, platform: Platform, caller: Caller, wanted: Reindex) -> tuple[int, str]:
    """Queue the building of another index; returns its id and the job's.

    Raises `NotFound` (space, embedding_profile, golden_set), `Conflict` (`reindex_running`), `Unprocessable`.
    """
    live = _live(connection)
    embedder = platform.embedder_for(live.embedding)
    if wanted.embedding is not None:
        embedder = platform.embedder_of_profile(wanted.embedding)
    if wanted.analyzer is not None and wanted.analyzer not in ANALYZERS:
        raise Unprocessable(f"analyzer is one of {', '.join(ANALYZERS)}.", code="unknown_analyzer")
    chunking, by_space = _chunking(connection, caller, live, wanted, embedder.max_tokens)
    new = NewGeneration(
        embedding=embedder.name,
        dimension=embedder.dimension,
        chunking=chunking,
        space_chunking=by_space,
        analyzer=wanted.analyzer or live.analyzer,
        gate=None if wanted.gate is None else _gate(connection, wanted.gate),
        created_by=caller.user_id,
    )
    through = publications.current_epoch(connection)
    try:
        generation = generations.insert_building(connection, platform.settings.milvus.prefix, new, through=through)
    except IntegrityError:
        raise Conflict(
            "Another index is being built; wait for it, or cancel its job.", code="reindex_running"
        ) from None
    job_id = jobs.insert(connection, JobKind.REINDEX, created_by=caller.user_id, subject=str(generation.id))
    generations.update(connection, generation.id, job_id=job_id)
    return generation.id, job_id


def order_promotion(connection: Connection, caller: Caller, generation_id: int) -> str | None:
    """Queue the switch to this index; None if it is live already.

    Raises `NotFound("index")`, `Conflict` (`index_not_ready`, `gate_pending`, `gate_refused`).
    """
    generation = known_index(connection, generation_id)
    if generation.state is GenerationState.LIVE:
        return None
    if generation.state not in FOLLOWING:
        raise Conflict(f"The index is {generation.state}; only a ready one can go live.", code="index_not_ready")
    if generation.live_at is None:
        _require_gate(connection, generation)
    return jobs.insert(connection, JobKind.PROMOTE, created_by=caller.user_id, subject=str(generation_id))


def order_rollback(connection: Connection, caller: Caller, generation_id: int) -> tuple[int, str]:
    """Queue the switch from this live index back to the one that was live before; returns that one's id, and the job.

    Raises `NotFound("index")`, `Conflict` (`index_not_live`, `nothing_to_roll_back_to`).
    """
    if known_index(connection, generation_id).state is not GenerationState.LIVE:
        raise Conflict("Only the live index can be rolled back.", code="index_not_live")
    retired = [each for each in generations.kept(connection) if each.state is GenerationState.RETIRED]
    if not retired:
        raise Conflict("No earlier index is kept.", code="nothing_to_roll_back_to")
    before = max(retired, key=lambda each: each.retired_at or each.created_at)
    return before.id, jobs.insert(connection, JobKind.PROMOTE, created_by=caller.user_id, subject=str(before.id))


def order_drop(connection: Connection, caller: Caller, generation_id: int) -> str:
    """Take an index that is not live out of use, and queue the removal of its rows.

    Raises `NotFound("index")`, `Conflict` (`index_live`, `index_not_ready`).
    """
    generation = known_index(connection, generation_id)
    if generation.state is GenerationState.LIVE:
        raise Conflict("The live index can't be dropped; promote another one first.", code="index_live")
    droppable = (*FOLLOWING, GenerationState.CANCELLED, GenerationState.FAILED)
    if not generations.move(connection, generation_id, droppable, GenerationState.DROPPED):
        raise Conflict(f"The index is {generation.state}; cancel its job instead.", code="index_not_ready")
    return jobs.insert(connection, JobKind.DROP, created_by=caller.user_id, subject=str(generation_id))


def order_reconciliation(connection: Connection, caller: Caller, generation_id: int) -> str:
    """Queue the comparison of an index with SQL, and its repair. Raises `NotFound("index")`."""
    known_index(connection, generation_id)
    return jobs.insert(connection, JobKind.RECONCILE, created_by=caller.user_id, subject=str(generation_id))


def known_index(connection: Connection, generation_id: int) -> Generation:
    """An index, in whatever state. Raises `NotFound("index")`."""
    generation = generations.get(connection, generation_id) if 0 < generation_id < 2**31 else None
    if generation is None:
        raise NotFound("index")
    return generation


def _live(connection: Connection) -> Generation:
    live = generations.live(connection)
    if live is None:
        raise Unavailable("There is no index yet: a worker makes the first one when it starts.")
    return live


def _chunking(
    connection: Connection, caller: Caller, live: Generation, wanted: Reindex, longest: int
) -> tuple[Mapping[str, int], Mapping[str, Mapping[str, int]]]:
    """How documents will be cut: everywhere, and where it differs by space."""
    given = {"max_tokens": wanted.max_tokens, "min_tokens": wanted.min_tokens}
    changed = {**live.chunking, **{name: value for name, value in given.items() if value is not None}}
    if changed["min_tokens"] > changed["max_tokens"] or changed["max_tokens"] > longest:
        raise Unprocessable(
            f"min_tokens must not exceed max_tokens, nor that what the embedding model reads ({longest}).",
            code="chunking_out_of_range",
        )
    if wanted.spaces is None:
        return changed, {}
    if wanted.embedding is not None or wanted.analyzer is not None:
        raise Unprocessable(
            "Vectors of two models, and words of two analyzers, can't be compared: leave out spaces to change those.",
            code="index_wide_setting",
        )
    chosen = {visible_space(connection, caller, space).space.id: changed for space in wanted.spaces}
    return live.chunking, {**live.space_chunking, **chosen}


def _gate(connection: Connection, order: GateOrder) -> dict[str, object]:
    golden_set = known_set(connection, order.golden_set)
    require_judgeable(golden_set)
    return {"golden_set_id": golden_set.id, "set": golden_set.name} | {
        "min_ndcg": order.min_ndcg, "max_drop": order.max_drop,
    }  # fmt: skip


def _require_gate(connection: Connection, generation: Generation) -> None:
    if generation.gate is None:
        return
    judged = evaluations.latest_gate_of(connection, generation.id)
    if judged is None or judged.passed is None:
        raise Conflict("The gate has not been decided yet; follow its evaluation.", code="gate_pending")
    if not judged.passed:
        raise Conflict(f"The gate refused this index: evaluation {judged.id} says why.", code="gate_refused")
