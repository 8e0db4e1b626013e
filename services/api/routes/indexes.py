"""`/v1/reindex` and `/v1/indexes`: another index beside the live one, the switch, and the way back."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.job import Job, JobState
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict
from kbcore.metadata import generations, jobs, publications
from services.api.audited import SeenRequest
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.paging import single_page
from services.api.schemas.indexes import IndexJob, IndexShown, ReindexAccepted, ReindexBody
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.waiting import WaitDep, await_job
from services.api.writes import Done, WriteDep, send_job
from services.library.reindex import (
    documents_to_reparse,
    known_index,
    order_drop,
    order_promotion,
    order_reconciliation,
    order_reindex,
    order_reparse,
    order_rollback,
)

router = APIRouter(tags=["indexes"])

_REPARSED_AT_A_TIME = 200
"""Documents that are locked together while they are ordered to be read again."""

_LATER: dict[int | str, dict[str, object]] = {
    202: {"model": IndexJob, "description": "Not done within the time that `Prefer: wait=N` allows; follow the job."}
}


@router.post(
    "/v1/reindex",
    summary="Build another index beside the live one",
    status_code=202,
    response_model=ReindexAccepted,
    responses=problems(403, 404, 409),
)
def reindex(body: ReindexBody, write: WriteDep, platform: PlatformDep, caller: CallerDep) -> Response:
    """From the stored text. Searches go on with the live one until this one is promoted.

    With `reparse` the documents' bytes are read again by jobs of their own; what they publish comes into both indexes.
    """

    def work(connection: Connection) -> Done:
        index_id, job_id = order_reindex(connection, platform, caller, body.order())
        if body.reparse:
            chosen.extend(documents_to_reparse(connection, caller, body.spaces))
        return Done(ReindexAccepted(id=index_id, job_id=job_id), status=202, jobs=(job_id,))

    chosen: list[str] = []
    answer = write.perform(work, before_replay=None)
    for start in range(0, len(chosen), _REPARSED_AT_A_TIME):
        with platform.database.begin() as connection:
            ordered = order_reparse(connection, caller, chosen[start : start + _REPARSED_AT_A_TIME])
        for job_id in ordered:
            send_job(platform, job_id)
    return answer


@router.post(
    "/v1/reindex/{index_id}/promote",
    summary="Let an index go live",
    response_model=IndexShown,
    responses={**_LATER, **problems(403, 404, 409)},
)
async def promote(index_id: int, platform: PlatformDep, caller: CallerDep, seen: SeenDep, wait: WaitDep) -> Response:
    """Between two publications; no search sees both. The one before is kept and follows, until it is dropped."""

    def order(connection: Connection) -> tuple[int, str | None]:
        return index_id, order_promotion(connection, caller, index_id)

    return await _switch(platform, caller, seen, order, wait)


@router.post(
    "/v1/reindex/{index_id}/rollback",
    summary="Go back to the index that was live before",
    response_model=IndexShown,
    responses={**_LATER, **problems(403, 404, 409)},
)
async def rollback(index_id: int, platform: PlatformDep, caller: CallerDep, seen: SeenDep, wait: WaitDep) -> Response:
    """From this live index to the one that it replaced, which holds everything that was published since."""
    return await _switch(platform, caller, seen, lambda connection: order_rollback(connection, caller, index_id), wait)


@router.get("/v1/indexes", summary="List indexes", responses=problems(403))
def list_indexes(platform: PlatformDep, _caller: CallerDep) -> Page[IndexShown]:
    """Newest first, dropped ones included."""
    with platform.database.snapshot() as connection:
        shown = [_shown(connection, generation.id) for generation in generations.list_of(connection)]
    return single_page(shown, lambda index: index)


@router.get("/v1/indexes/{index_id}", summary="Read an index", responses=problems(403, 404))
def read_index(index_id: int, platform: PlatformDep, _caller: CallerDep) -> IndexShown:
    """What it was built with, how far it is."""
    with platform.database.snapshot() as connection:
        return _shown(connection, index_id)


@router.delete(
    "/v1/indexes/{index_id}",
    summary="Drop an index",
    status_code=202,
    response_model=IndexJob,
    responses=problems(403, 404, 409),
)
def drop_index(index_id: int, write: WriteDep, caller: CallerDep) -> Response:
    """Not the live one. There is no way back to it then."""

    def work(connection: Connection) -> Done:
        job_id = order_drop(connection, caller, index_id)
        return Done(IndexJob(job_id=job_id), status=202, jobs=(job_id,))

    return write.perform(work, before_replay=None)


@router.post(
    "/v1/indexes/{index_id}/reconcile",
    summary="Compare an index with SQL and repair it",
    status_code=202,
    response_model=IndexJob,
    responses=problems(403, 404),
)
def reconcile_index(index_id: int, write: WriteDep, caller: CallerDep) -> Response:
    """Writes what is missing or wrong in Milvus, removes what does not belong; rebuilds a collection that is gone."""

    def work(connection: Connection) -> Done:
        job_id = order_reconciliation(connection, caller, index_id)
        return Done(IndexJob(job_id=job_id), status=202, jobs=(job_id,))

    return write.perform(work, before_replay=None)


async def _switch(
    platform: Platform,
    caller: Caller,
    seen: SeenRequest,
    order: Callable[[Connection], tuple[int, str | None]],
    wait: float,
) -> Response:
    """Order a promotion and wait for it; saying the same again is harmless, so this needs no `Idempotency-Key`."""

    def ordered() -> tuple[int, str | None]:
        with platform.database.begin() as connection:
            index_id, job_id = order(connection)
            made = {"job_id": job_id}
            platform.audit.append(connection, seen.event(caller, "request.done", 202 if job_id else 200, made))
        seen.recorded()
        if job_id is not None:
            send_job(platform, job_id)
        return index_id, job_id

    def shown(index_id: int) -> IndexShown:
        with platform.database.snapshot() as connection:
            return _shown(connection, index_id)

    index_id, job_id = await run_in_threadpool(ordered)
    if job_id is not None:
        job = await await_job(platform, job_id, wait)
        _require_success(job)
        if not job.ended:
            return JSONResponse(IndexJob(job_id=job_id).model_dump(), 202)
    index = await run_in_threadpool(shown, index_id)
    return JSONResponse(index.model_dump(mode="json"))


def _require_success(job: Job) -> None:
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        raise Conflict(job.error or "The switch was cancelled.", code="switch_failed")


def _shown(connection: Connection, index_id: int) -> IndexShown:
    generation = known_index(connection, index_id)
    return IndexShown.of(
        generation,
        documents=generations.documents_in(connection, index_id),
        epoch=publications.current_epoch(connection),
        job=None if generation.job_id is None else jobs.get(connection, generation.job_id),
    )
