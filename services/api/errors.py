"""Every error as RFC 9457 `application/problem+json`; on routes that speak another API, in that API's own shape."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from kbcore.errors import TooManyRequests, Unprocessable, UnsupportedMediaType, ZhikuError
from services.api.mcp.oauth import challenge
from services.api.schemas.openai import ParameterError
from services.api.schemas.scim import SCIM_JSON, error_body

PROBLEM_JSON = "application/problem+json"

_log = structlog.get_logger(__name__)

_INVALID = "Invalid request"
UNPARSED = "There was an error parsing the body"
"""What FastAPI says of a body that is no JSON for another reason than its syntax: not UTF-8, nested too deep."""

SEND_JSON = "Send JSON, with the header Content-Type: application/json."

CODES_OF_STATUS = {
    400: "invalid_request",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}
"""The codes of errors that the framework raises, by HTTP status."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out. `errors` names the fields that are wrong: `loc` and `msg`, never the values sent."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[Mapping[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def respond(request: Request, problem: Problem) -> Response:
    """The problem in the shape that this route's clients expect."""
    request.state.problem_code = problem.code  # for the audit log
    if request.url.path.startswith("/scim/"):
        return _scim(problem)
    for prefix, shape in _SHAPES.items():
        if request.url.path == prefix or request.url.path.startswith(f"{prefix}/"):
            status = 400 if shape is _openai and problem.status == 422 else problem.status  # what its clients expect
            return JSONResponse(shape(problem), status, dict(problem.headers))
    body: dict[str, Any] = {
        "type": f"urn:zhiku:error:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "trace_id": request.state.trace_id,
    }
    if problem.errors:
        body["errors"] = problem.errors
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=PROBLEM_JSON)


def internal_error(request: Request) -> Response:
    """What is said about a defect: nothing but where its trace is."""
    detail = f"Something went wrong here. Quote the trace id {request.state.trace_id} to your administrator."
    return respond(request, Problem(500, "internal_error", "Internal error", detail))


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(ZhikuError, deliberate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(DataError, _not_storable)


def deliberate(request: Request, error: Exception) -> Response:
    """What is said about an error of `kbcore.errors`."""
    assert isinstance(error, ZhikuError)
    if error.status >= 500:
        _log.warning("request failed", code=error.code, detail=error.detail)
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = challenge(request.app.state.platform.settings, request.url.path)
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    if error.status == 503:
        headers["Retry-After"] = "2"
    wrong = [{"loc": ["body", error.parameter], "msg": error.detail}] if isinstance(error, ParameterError) else []
    return respond(request, Problem(error.status, error.code, error.title, error.detail, wrong, headers))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        where = f"{found[0]['ctx']['error']}, at character {found[0]['loc'][-1]}"
        return respond(request, Problem(400, "invalid_json", _INVALID, f"The body is not valid JSON: {where}."))
    if any(item["loc"] == ("body",) for item in found) and not says_json(request):
        return respond(request, Problem(415, UnsupportedMediaType.code, UnsupportedMediaType.title, SEND_JSON))
    errors = [{"loc": _place(item["loc"]), "msg": item["msg"].removeprefix("Value error, ")} for item in found]
    where = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in errors[:3])
    return respond(request, Problem(422, "validation_failed", "Validation failed", where, errors))


def _place(loc: Sequence[str | int]) -> list[str | int]:
    """Where a field is, without the names that pydantic gives to the branches of a union."""
    return [part for part in loc if isinstance(part, int) or "[" not in part]


def _from_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, detail, headers = error.status_code, error.detail, dict(error.headers or {})
    if status == 405:
        allowed = _methods(request)
        detail = f"{request.method} is not possible here; use {allowed}."
        headers["Allow"] = allowed
    elif status == 404:
        detail = "Nothing is at this address; /openapi.json lists what is."
    elif status == 400 and detail == UNPARSED:
        return respond(request, Problem(400, "invalid_json", _INVALID, "The body is not valid JSON in UTF-8."))
    code = CODES_OF_STATUS.get(status, f"http_{status}")
    return respond(request, Problem(status, code, HTTPStatus(status).phrase, detail, headers=headers))


def says_json(request: Request) -> bool:
    """True if the request's media type is JSON."""
    subtype = request.headers.get("content-type", "").partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def _methods(request: Request) -> str:
    """Every method of this address; the route that refused knows only its own."""
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return ", ".join(["HEAD", *found] if "GET" in found else found)


def _not_storable(request: Request, _error: Exception) -> Response:
    detail = "A value cannot be stored or looked up: it has a NUL character, or a number is out of range."
    return respond(request, Problem(422, "unprocessable", Unprocessable.title, detail))


def _openai(problem: Problem) -> dict[str, Any]:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return {
        "error": {
            "message": problem.detail,
            "type": kinds.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error"),
            "param": ".".join(str(part) for part in problem.errors[0]["loc"][1:]) or None if problem.errors else None,
            "code": "invalid_api_key" if problem.status == 401 else problem.code,
        }
    }


def _dify(problem: Problem) -> dict[str, Any]:
    # Dify's External Knowledge API: 1001 header missing or malformed, 1002 not authorised, 2001 no such knowledge.
    codes = {401: 1002, 403: 1002, 404: 2001}
    return {"error_code": codes.get(problem.status, problem.status), "error_msg": problem.detail}


def _scim(problem: Problem) -> Response:
    # RFC 7644, 3.12: a value that does not fit is 400 there, with a word of its own for what is wrong.
    status = 400 if problem.status == 422 else problem.status
    word = _SCIM_TYPES.get(problem.code, "invalidValue" if problem.status == 422 else None)
    return JSONResponse(error_body(status, problem.detail, word), status, dict(problem.headers), media_type=SCIM_JSON)


_SCIM_TYPES = {
    "name_taken": "uniqueness",
    "external_id_taken": "uniqueness",
    "invalid_filter": "invalidFilter",
    "invalid_path": "invalidPath",
    "invalid_value": "invalidValue",
    "invalid_json": "invalidSyntax",
}

_SHAPES: Mapping[str, Callable[[Problem], dict[str, Any]]] = {
    "/v1/chat/completions": _openai,
    "/v1/models": _openai,
    "/v1/embeddings": _openai,
    "/retrieval": _dify,
}
