"""`/.well-known/oauth-protected-resource`: who issues the tokens that `/mcp` takes (RFC 9728). Public, no secret."""

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from services.api.dependencies import PlatformDep
from services.api.mcp.oauth import MCP, WELL_KNOWN, offers_login
from services.api.schemas.problem import problems

router = APIRouter(tags=["mcp"])


class ProtectedResource(BaseModel):
    """RFC 9728, section 2."""

    resource: str = Field(description="The address of `/mcp`; tokens are asked for with it (RFC 8707).")
    authorization_servers: list[str] = Field(description="The issuers whose tokens are taken, as they call themselves.")
    bearer_methods_supported: list[str] = ["header"]
    resource_name: str = "Zhiku"


@router.get(WELL_KNOWN, summary="OAuth: who issues tokens", responses=problems(404))
@router.get(WELL_KNOWN + MCP, summary="OAuth: who issues tokens for `/mcp`", responses=problems(404))
def describe_resource(platform: PlatformDep) -> ProtectedResource:
    """404 without `oidc.issuer` and `mcp.public_url`: there are only keys then."""
    settings = platform.settings
    if not offers_login(settings):
        raise HTTPException(404)
    return ProtectedResource(resource=settings.mcp.public_url, authorization_servers=[settings.oidc.issuer])
