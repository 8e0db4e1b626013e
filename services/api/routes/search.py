"""`POST /v1/search`."""

from fastapi import APIRouter

from services.api.dependencies import CallerDep, LimitsDep, PlatformDep, TraceIdDep
from services.api.gaps import gaps
from services.api.schemas.problem import problems
from services.api.schemas.search import SearchAnswer, SearchBody
from services.query.record import recorded_search

router = APIRouter(tags=["search"])


@router.post("/v1/search", summary="Search the passages that you may read", responses=problems(404))
def search_passages(
    body: SearchBody, platform: PlatformDep, caller: CallerDep, limits: LimitsDep, trace_id: TraceIdDep
) -> SearchAnswer:
    """Hybrid retrieval, filtered by your rights inside the search and checked again, hit by hit, in SQL."""
    limits.admit()
    found = recorded_search(platform, caller, body.request(platform.settings.retrieval.max_top_k))
    incomplete = gaps(platform, caller, found, body.spaces)
    return SearchAnswer.of(found, trace_id, incomplete)
