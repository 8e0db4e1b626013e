"""Before anything of an answer is sent: see that the request is in the audit log.

A route that writes records itself, in its transaction (`services.api.writes`). Whatever an authenticated caller is
answered without that is recorded here; if it can't be, 503 is sent in its place. `UNRECORDED` are the exceptions.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import ZhikuError
from services.api.audited import SeenRequest
from services.api.errors import deliberate
from services.api.refusals import RefusalCount

_log = structlog.get_logger(__name__)

_DOCUMENT = "/v1/documents/{document_id}"
_VERSION = f"GET {_DOCUMENT}/versions/{{number}}"

READS: Mapping[str, str] = {
    f"GET {_DOCUMENT}": "properties",
    f"GET {_DOCUMENT}/versions": "history",
    _VERSION: "text",
    f"{_VERSION}/content": "bytes",
    f"{_VERSION}/chunks": "chunks",
    f"{_VERSION}/diff/{{other}}": "diff",
    f"{_VERSION}/ledger": "pages",
    f"GET {_DOCUMENT}/answers": "answers",
    f"GET {_DOCUMENT}/policy": "policy",
    "GET /v1/conversations/{conversation_id}": "conversation",
}
"""Routes that show what a document says or who may read it, and what of it: `document.read`."""

LISTS = frozenset({"GET /v1/documents", "GET /v1/ledger"})
"""Routes that list documents: `documents.listed`."""

UNRECORDED: Mapping[str, str] = {
    "POST /v1/search": "the query path records what it retrieved, with its trace",
    "POST /v1/ask": "the query path records what it retrieved and answered, with its trace",
    "POST /v1/chat/completions": "the query path records what it retrieved and answered, with its trace",
    "POST /retrieval": "the query path records what it retrieved, with its trace",
    "POST /mcp": "each tool records what it shows: the query path with its trace, fetch as a read of its document",
    "POST /v1/embeddings": "turns the caller's own words into numbers; no document is read",
    "GET /v1/models": "names of models",
    "GET /v1/models/{model_id:path}": "names of models",
    "GET /v1/users/me": "shows a caller to itself",
    "GET /v1/conversations": "titles of the caller's own conversations; reading one is recorded",
    "GET /v1/jobs": "polled: ids, stages and figures; why a job failed is recorded as a read of its document",
    "GET /v1/jobs/{job_id}": "polled: an id, a stage and figures; why it failed is recorded as a read of its document",
    "GET /v1/jobs/{job_id}/events": "as the job itself",
    "GET /v1/indexes": "polled: figures of indexes, nothing of a document",
    "GET /v1/indexes/{index_id}": "polled: figures of an index, nothing of a document",
    "GET /.well-known/oauth-protected-resource": "without a caller",
    "GET /.well-known/oauth-protected-resource/mcp": "without a caller",
    "GET /healthz": "without a caller",
    "GET /readyz": "without a caller",
    "GET /metrics": "figures, asked for all the time",
    "GET /openapi.json": "without a caller",
    "GET /": "without a caller",
    "GET /assets/{name}": "without a caller",
}
"""Routes whose success needs no record of the request as such, and why."""

_REFUSALS = (403, 404)


class AuditEdge:
    """Stands between the routes and the client."""

    def __init__(self, app: ASGIApp, *, refusals_per_minute: int) -> None:
        self._app = app
        self._refusals = RefusalCount(refusals_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        withheld = False

        async def send_recorded(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start":
                event = self._event(request, message["status"])
                if event is not None:
                    try:
                        await run_in_threadpool(_record, request, event)
                    except ZhikuError as error:
                        withheld = True
                        await deliberate(request, error)(scope, receive, send)
            if not withheld:
                await send(message)

        await self._app(scope, receive, send_recorded)

    def _event(self, request: Request, status: int) -> AuditEvent | None:
        """What has to be recorded before this answer is sent; None = nothing."""
        seen = SeenRequest(request)
        caller = seen.caller
        if caller is None or seen.is_recorded:
            return None
        status = seen.refused_with or status
        if status in _REFUSALS:
            return self._refusal(request, seen, caller, status)
        return event_of(seen, caller, status) if status < 400 else None

    def _refusal(self, request: Request, seen: SeenRequest, caller: Caller, status: int) -> AuditEvent | None:
        count = self._refusals.note(caller.user_id)
        if not count:
            return None
        code = getattr(request.state, "problem_code", None)
        return seen.event(caller, "request.refused", status, code=code, count=count)


def _record(request: Request, event: AuditEvent) -> None:
    platform = request.app.state.platform
    assert isinstance(platform, Platform)
    platform.audit.record([event])


def event_of(seen: SeenRequest, caller: Caller, status: int) -> AuditEvent | None:
    """The event of an answer that shows something; None for the exceptions."""
    route = seen.route
    if route in READS:
        return _read(seen, caller, READS[route])
    if route in LISTS:
        return AuditEvent.by(caller, "documents.listed", documents=seen.shown, route=route, count=len(seen.shown))
    if route in UNRECORDED:
        return _read(seen, caller, "failure") if seen.shown else None
    return seen.event(caller, "request.read" if route.startswith("GET ") else "request.done", status)


def _read(seen: SeenRequest, caller: Caller, what: str) -> AuditEvent:
    path = seen.path
    detail: dict[str, Any] = {name: value for name, value in path.items() if name != "document_id"}
    if "number" in detail:
        detail["version"] = detail.pop("number")
    named = path.get("document_id")
    documents = seen.shown if named is None else (named, *seen.shown)
    return AuditEvent.by(caller, "document.read", documents=documents, what=what, **detail)
