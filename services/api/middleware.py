"""Around every request: trace id, one log line, metrics, security headers, the body's size, the last error handler."""

import re
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kbcore.observability import metrics
from kbcore.observability.tracing import trace
from services.api.errors import Problem, internal_error, respond

_log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Set on every response that does not say otherwise."""

_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_UPLOAD = re.compile(r"/v1/documents(/[^/]+/content)?", re.ASCII)
_TEXT = re.compile(r"/v1/documents/[^/]+/text", re.ASCII)
_NO_ANSWER = 499
"""Recorded when the client went away before an answer began (nginx's convention)."""

_FORM_OVERHEAD = 131_072
"""Bytes that an upload's other fields and boundaries may take."""


class HeadAsGet:
    """Answers HEAD like GET; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class RequestEdge:
    """The outermost layer: nothing gets past it without a trace id, and no stack trace gets out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        with trace(_trace_parent(request)) as trace_id:
            request.state.trace_id = trace_id
            await self._handle(request, scope, receive, send)

    async def _handle(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = _NO_ANSWER

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Trace-Id"] = request.state.trace_id
                for name, value in getattr(request.state, "limit_headers", {}).items():
                    headers[name] = value
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            _log.info("the client went away")
        except Exception as error:
            _log.exception("unhandled error", kind=type(error).__name__)
            if status != _NO_ANSWER:
                raise
            await internal_error(request)(scope, receive, send_with_headers)
        finally:
            _record(request, status, time.perf_counter() - started)


class BodyLimit:
    """Refuses a body that is too large: at once if it says its length, else as soon as it is over.

    Routes whose bodies may be large read them themselves, after they know the caller.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, max_upload_bytes: int, max_text_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_upload_bytes = max_upload_bytes
        self._max_text_bytes = max_text_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, hard = self._limits(scope["path"])
        request = Request(scope, receive)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > hard:
            await respond(request, _too_large(limit))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > hard:
                # FastAPI turns any other exception of a body's reader into 400.
                raise HTTPException(413, _too_large(limit).detail)
            return message

        await self._app(scope, counted, send)

    def _limits(self, path: str) -> tuple[int, int]:
        """What the sender is told, and the most that is taken."""
        if _UPLOAD.fullmatch(path):
            return self._max_upload_bytes, self._max_upload_bytes + _FORM_OVERHEAD
        limit = self._max_text_bytes if _TEXT.fullmatch(path) else self._max_body_bytes
        return limit, limit


def _too_large(limit: int) -> Problem:
    return Problem(413, "payload_too_large", "Payload too large", f"The limit is {limit:,} bytes.")


def _trace_parent(request: Request) -> str | None:
    """The trace id of a W3C `traceparent`."""
    match = _TRACE_PARENT.fullmatch(request.headers.get("traceparent", ""))
    return match["trace"] if match else None


def _record(request: Request, status: int, seconds: float) -> None:
    route = getattr(request.scope.get("route"), "path", "unmatched")
    method = request.method if request.method in _METHODS else "OTHER"
    metrics.http_requests.labels(method, route, status).inc()
    metrics.http_seconds.labels(method, route).observe(seconds)
    _log.info(
        "request",
        method=method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        user_id=getattr(request.state, "user_id", None),
    )
