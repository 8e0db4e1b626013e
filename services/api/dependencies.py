"""What routes ask for: the platform, the caller, an administrator, this request's trace id.

Every `services/api/routes/*.py` exposes `router: APIRouter` with full paths (`/v1/…`); `services.api.app` mounts them.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import Forbidden
from services.api.audited import SeenRequest
from services.auth.authenticate import authenticate

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="API key", bearerFormat="zk_…", description="`Authorization: Bearer zk_…`"
)


def _platform(request: Request) -> Platform:
    platform = request.app.state.platform
    assert isinstance(platform, Platform)
    return platform


def _trace_id(request: Request) -> str:
    return str(request.state.trace_id)


PlatformDep = Annotated[Platform, Depends(_platform)]
"""The adapters."""

TraceIdDep = Annotated[str, Depends(_trace_id)]
"""The id in this response's `X-Trace-Id`: 32 hex digits."""


def _caller(request: Request, platform: PlatformDep, _documented: Annotated[object, Security(_BEARER)]) -> Caller:
    caller = authenticate(platform.database, request.headers.get("authorization"))
    request.state.user_id = caller.user_id
    request.state.caller = caller
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]
"""The authenticated caller; without one 401, without SQL 503 `acl_unavailable`."""


def _admin(caller: CallerDep) -> Caller:
    if not caller.is_admin:
        raise Forbidden("Only administrators may do this.")
    return caller


AdminDep = Annotated[Caller, Depends(_admin)]
"""The authenticated caller, who is an administrator; 403 otherwise."""


def _auditor(caller: CallerDep) -> Caller:
    if not caller.is_trusted:
        raise Forbidden("Only auditors and administrators may do this.")
    return caller


AuditorDep = Annotated[Caller, Depends(_auditor)]
"""The authenticated caller, who is an auditor or an administrator; 403 otherwise."""


def _seen(request: Request) -> SeenRequest:
    return SeenRequest(request)


SeenDep = Annotated[SeenRequest, Depends(_seen)]
"""This request as the audit log knows it: the route says there which documents its answer speaks of."""
