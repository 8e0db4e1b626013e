"""Errors as clients see them, and how routes document theirs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.api.errors import PROBLEM_JSON


class FieldError(BaseModel):
    """One thing that is wrong with the request."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `path` or `header`, then the field's path.")
    msg: str = Field(description="What is wrong. Values that were sent are never repeated.")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:zhiku:error:document_not_found",
                "title": "Not found",
                "status": 404,
                "detail": "No such document.",
                "code": "document_not_found",
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
            }
        }
    )

    type: str = Field(description="`urn:zhiku:error:<code>`.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, and what helps.")
    code: str = Field(description="Stable machine word; all of them are listed in docs/errors.md.")
    trace_id: str = Field(description="Finds this request in logs; also in `X-Trace-Id`. 32 hex digits.")
    errors: list[FieldError] | None = Field(default=None, description="The fields that are wrong.")


MEANING = {
    400: "The request cannot be used as sent.",
    401: "No API key, or one that is not valid.",
    403: "Visible, but this caller, or this key, may not do this.",
    404: "Unknown, or not visible to this caller.",
    409: "The thing exists already, or its state does not allow this.",
    412: "`If-Match` names a version that is no longer the latest.",
    413: "The body is larger than allowed.",
    415: "Not a content type that this route reads.",
    422: "A field is missing, malformed, or does not fit.",
    429: "Too many requests; `Retry-After` says for how many seconds.",
    503: "A dependency does not answer; `acl_unavailable` if permissions cannot be evaluated.",
}

_ALWAYS = (401, 403, 422, 429, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: these statuses besides 401, 403, 422, 429 and 503, which every route may answer."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": MEANING[status], "content": {PROBLEM_JSON: schema}}
        for status in sorted({*_ALWAYS, *statuses})
    }


def foreign_errors(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """`problems` for a route that answers errors in another API's shape."""
    return {status: {"description": MEANING[status], "model": model} for status in sorted({*_ALWAYS, *statuses})}
