"""`POST /v1/documents/{id}/erase` and `/v1/erasures`: removing a document everywhere, with proof."""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.metadata.erasures import Erasure
from services.api.dependencies import CallerDep, PlatformDep
from services.api.schemas.erasures import Certificate, EraseBody, ErasureAccepted, ErasureShown
from services.api.schemas.problem import problems
from services.api.waiting import WaitDep, await_job
from services.api.writes import Done, WriteDep
from services.library.erase import known_erasure, order_erasure

router = APIRouter(tags=["documents"])


@router.post(
    "/v1/documents/{document_id}/erase",
    summary="Erase a document everywhere",
    response_model=Certificate,
    responses={
        202: {"model": ErasureAccepted, "description": "Not done within the time waited; read the erasure later."},
        **problems(403, 404, 409),
    },
)
async def erase_document(
    document_id: str,
    platform: PlatformDep,
    caller: CallerDep,
    write: WriteDep,
    wait: WaitDep,
    body: EraseBody | None = None,
) -> Response:
    """Nobody reads it from now on, and nothing brings it back: bytes, texts, vectors of all index generations, quotes.

    Afterwards every place is searched for it, and the answer is the signed certificate. It need not be readable for
    you, and may be deleted already; a second call answers the same certificate. Administrators only.
    """
    reason = None if body is None else body.reason

    def work(connection: Connection) -> Done:
        erasure = order_erasure(connection, caller, document_id, reason)
        accepted = ErasureAccepted(erasure_id=erasure.id, job_id=erasure.job_id or "")
        pending = () if erasure.certificate is not None else (accepted.job_id,)
        return Done(accepted, status=202, jobs=pending)

    response = await run_in_threadpool(write.perform, work, before_replay=None)
    accepted = ErasureAccepted.model_validate_json(bytes(response.body))
    await await_job(platform, accepted.job_id, wait)
    erasure = await run_in_threadpool(_read, platform, accepted.erasure_id)
    return response if erasure.certificate is None else JSONResponse(dict(erasure.certificate))


@router.get("/v1/erasures/{erasure_id}", summary="Read an erasure", responses=problems(403, 404))
def read_erasure(erasure_id: str, platform: PlatformDep, _caller: CallerDep) -> ErasureShown:
    """With its certificate, once it is done. Administrators only."""
    return ErasureShown.of(_read(platform, erasure_id))


def _read(platform: Platform, erasure_id: str) -> Erasure:
    with platform.database.begin() as connection:
        return known_erasure(connection, erasure_id)
