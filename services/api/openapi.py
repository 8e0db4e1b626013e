"""The served OpenAPI document: FastAPI's, with the schemas that every error response refers to."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from services.api.schemas.problem import MEANING, FieldError, Problem

DESCRIPTION = """
Zhiku (知库) answers questions from an organisation's own documents, cited, versioned, and filtered by permission.

Send `Authorization: Bearer zk_…` (an API key), `zs_…` (a session of `POST /v1/login`), or an access token of the
configured identity provider. A service account whose key acts for people names one in `Zhiku-On-Behalf-Of`. Errors are
`application/problem+json` (RFC 9457) with a stable `code`, except on the OpenAI-compatible routes, on `/retrieval` and
under `/scim/v2`, which answer in those APIs' own shapes. A thing that you may not see is 404, exactly like a thing that
does not exist. Every response carries `X-Trace-Id`. Writes accept `Idempotency-Key`. Times are RFC 3339, UTC. Sizes are
bytes.
"""


class Api(FastAPI):
    """A FastAPI application whose document defines `Problem`."""

    def openapi(self) -> dict[str, Any]:
        """The document, built once."""
        if self.openapi_schema is None:
            document = super().openapi()
            _, shared = models_json_schema(
                [(Problem, "serialization"), (FieldError, "serialization")],
                ref_template="#/components/schemas/{model}",
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(shared["$defs"])
            for path in document["paths"].values():
                for operation in path.values():
                    _complete(operation)
        return super().openapi()


def _complete(operation: dict[str, Any]) -> None:
    """Add what any JSON body may be answered, in the shape of the route's 422; take away what cannot happen."""
    responses, body = operation["responses"], operation.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        for status in (400, 413, 415):
            responses.setdefault(str(status), {**responses["422"], "description": MEANING[status]})
    if not operation.get("security"):
        for status in (401, 403, 429):  # nobody is asked for; a route that answers it nevertheless says why
            if responses.get(str(status), {}).get("description") == MEANING[status]:
                del responses[str(status)]
    if not body and not operation.get("parameters"):
        responses.pop("422", None)
