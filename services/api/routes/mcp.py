"""`POST /mcp`: the Model Context Protocol over streamable HTTP, without sessions."""

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from services.api.dependencies import CallerDep, LimitsDep, PlatformDep, SeenDep, TraceIdDep
from services.api.mcp.origin import require_allowed_origin
from services.api.mcp.server import McpResponse
from services.api.mcp.tools import Visit

router = APIRouter(tags=["mcp"])


def _reachable(request: Request, platform: PlatformDep) -> None:
    """Before anything is asked about the key."""
    if not platform.settings.mcp.enabled:
        raise HTTPException(404)
    require_allowed_origin(platform.settings, request)


# Its messages are the protocol's, not OpenAPI's: docs/api.md says what the tools are.
@router.post("/mcp", summary="Model Context Protocol", include_in_schema=False, dependencies=[Depends(_reachable)])
async def answer_mcp(
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    trace_id: TraceIdDep,
    seen: SeenDep,
    limits: LimitsDep,
) -> McpResponse:
    """One JSON-RPC message, answered as JSON, with the rights of the key that came with it."""
    visit = Visit(platform, caller, trace_id, str(request.base_url).rstrip("/"), seen, limits)
    return McpResponse(visit, await request.body())
