"""What routes ask for: the platform, the caller with the right that its route needs, this request's trace id.

Every `services/api/routes/*.py` exposes `router: APIRouter` with full paths (`/v1/…`); `services.api.app` mounts them.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from services.api.audited import SeenRequest
from services.api.rights import require, right_of
from services.auth.authenticate import ON_BEHALF_OF, Sent, authenticate
from services.auth.login import PasswordLogin
from services.auth.watch import Watch
from services.limits.gate import Admission, Gate

_OPENAI = ("/v1/chat/completions", "/v1/embeddings")
"""Where clients look for `x-ratelimit-…`."""

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="API key", bearerFormat="zk_…", description="`Authorization: Bearer zk_…` or `zs_…`"
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


def _login(request: Request) -> PasswordLogin:
    login = request.app.state.login
    assert isinstance(login, PasswordLogin)
    return login


LoginDep = Annotated[PasswordLogin, Depends(_login)]
"""Logging in with a password."""


def _address(request: Request) -> str | None:
    """Of the client, as far as the proxies between are trusted (`services.api.app`); None on a unix socket."""
    return (request.client.host or None) if request.client else None


AddressDep = Annotated[str | None, Depends(_address)]
"""The client's address."""


def authenticated(
    request: Request, platform: PlatformDep, address: AddressDep, _documented: Annotated[object, Security(_BEARER)]
) -> Caller:
    """The caller, if it has the right that the matched route needs: see `services.api.rights`.

    Raises what `authenticate` raises, then `Forbidden` (also `scope_missing`).
    """
    watch = request.app.state.watch
    assert isinstance(watch, Watch)
    sent = Sent(request.headers.get("authorization"), tuple(request.headers.getlist(ON_BEHALF_OF)), address)
    caller = authenticate(platform, watch, sent)
    request.state.user_id = caller.user_id
    request.state.caller = caller  # for the audit log, also of what is refused now
    require(right_of(request.method, request.scope["route"].path), caller)
    return caller


CallerDep = Annotated[Caller, Depends(authenticated)]
"""The authenticated caller, who may call this route: else 401 or 403; without SQL 503 `acl_unavailable`."""


class Limits:
    """The limits that hold for this request's caller."""

    def __init__(self, request: Request, platform: Platform, caller: Caller) -> None:
        self._request, self._platform, self._caller = request, platform, caller

    def admit(self, *, model: str | None = None, answers: bool = False) -> Admission:
        """Count this request before any work is done; `model` is the answer model that it names.

        Raises `TooManyRequests` (also `quota_used_up`), and `Unavailable` if limits are strict and cannot be counted.
        """
        gate = self._request.app.state.gate
        assert isinstance(gate, Gate)
        admission = gate.admit(self._platform.database, self._caller, model=model, answers=answers)
        if self._request.url.path.startswith(_OPENAI):
            self._request.state.limit_headers = admission.headers
        if admission.refusal is not None:
            raise admission.refusal
        return admission


def _limits(request: Request, platform: PlatformDep, caller: CallerDep) -> Limits:
    return Limits(request, platform, caller)


LimitsDep = Annotated[Limits, Depends(_limits)]
"""What routes that cost something ask first."""


def _seen(request: Request) -> SeenRequest:
    return SeenRequest(request)


SeenDep = Annotated[SeenRequest, Depends(_seen)]
"""This request as the audit log knows it: the route says there which documents its answer speaks of."""
