"""`/healthz` and `/readyz`, without a key, and `/metrics`: for supervisors and monitoring; no word about content."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from kbcore.errors import ZhikuError
from kbcore.metadata.stock import measure
from kbcore.observability.metrics import exposition
from services.api.dependencies import CallerDep, PlatformDep
from services.api.model_health import ModelState
from services.api.schemas.problem import problems

router = APIRouter(tags=["operations"])

_NOT_OK = "It does not answer, or refuses; the server's log says why."
_log = structlog.get_logger(__name__)


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Dependency(BaseModel):
    """One thing that Zhiku needs."""

    name: str
    ok: bool
    detail: str = Field(description="Where to look if it is not; empty if it is.")


class ModelReady(BaseModel):
    """One model that writes answers, by its name in the settings."""

    name: str
    state: ModelState = Field(
        description="`resting`: it failed several times in a row and is not asked for a while. `unreachable`: its "
        "server does not answer. Looked at within the last 10 s. The next model of the route answers meanwhile, at "
        "last by quoting, so this never changes `ready`."
    )


class Readiness(BaseModel):
    """Whether requests can be served."""

    ready: bool
    dependencies: list[Dependency]
    models: list[ModelReady]


@router.get("/healthz", summary="Is the process alive?", responses={})
def healthz() -> Alive:
    """Touches nothing."""
    return Alive()


@router.get(
    "/readyz", summary="Can requests be served?", response_model=Readiness, responses={503: {"model": Readiness}}
)
def readyz(request: Request, platform: PlatformDep) -> JSONResponse:
    """Asks each dependency; 503 if one does not answer. A model that writes answers may be away: others step in."""
    checks: dict[str, Callable[[], None]] = {
        "postgresql": platform.database.ping,
        "redis": platform.queue.ping,
        "milvus": platform.vectors.ping,
        "blobs": platform.blobs.ping,
        "models": request.app.state.warm_up.check,
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        dependencies = list(pool.map(_check, checks, checks.values()))
    ready = all(dependency.ok for dependency in dependencies)
    states = request.app.state.model_health.states(platform.answer_models)
    models = [ModelReady(name=name, state=state) for name, state in states.items()]
    body = Readiness(ready=ready, dependencies=dependencies, models=models)
    return JSONResponse(body.model_dump(), 200 if ready else 503)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response, responses=problems(403))
def metrics(platform: PlatformDep, _caller: CallerDep) -> Response:
    """Names and numbers. For administrators, auditors, and keys with the scope `metrics`."""
    with platform.database.begin() as connection:
        measure(connection)
    return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _check(name: str, ping: Callable[[], None]) -> Dependency:
    try:
        ping()
    except ZhikuError as error:
        _log.warning("not ready", dependency=name, detail=error.detail)
        return Dependency(name=name, ok=False, detail=_NOT_OK)  # anybody may ask: addresses and settings are not said
    return Dependency(name=name, ok=True, detail="")
