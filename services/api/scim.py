"""What the SCIM routes share: their media type, pages, and the answers of their writes."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Body, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from services.api.schemas.problem import foreign_errors
from services.api.schemas.scim import MOST_RESULTS, SCIM_JSON, ScimError, Selection

PREFIX = "/scim/v2"

ScimBody = Annotated[
    dict[str, Any],
    Body(media_type=SCIM_JSON, description="A SCIM document (RFC 7643, 7644). Unknown attributes are passed over."),
]


class ScimResponse(JSONResponse):
    """A SCIM document."""

    media_type = SCIM_JSON


def _base(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


BaseDep = Annotated[str, Depends(_base)]
"""The address of this SCIM service, as the client knows it."""


def _selection(
    attributes: Annotated[str | None, Query(description="Only these attributes, commas between them.")] = None,
    without: Annotated[
        str | None, Query(alias="excludedAttributes", description="All but these, commas between them.")
    ] = None,
) -> Selection:
    return Selection(attributes, without)


SelectionDep = Annotated[Selection, Depends(_selection)]
"""Which attributes are shown."""


@dataclass(frozen=True, slots=True)
class ScimPage:
    """What part of a list: from the `start`th on (1 is the first), at most `count`."""

    start: int
    count: int

    @property
    def offset(self) -> int:
        """How many are skipped."""
        return self.start - 1


def _page(
    start: Annotated[int, Query(alias="startIndex", le=2**31 - 1, description="Counts from 1; less is 1.")] = 1,
    count: Annotated[int, Query(description=f"At most {MOST_RESULTS}; 0 only counts.")] = 100,
) -> ScimPage:
    return ScimPage(max(start, 1), min(max(count, 0), MOST_RESULTS))


ScimPageDep = Annotated[ScimPage, Depends(_page)]
"""`startIndex` and `count`."""

FilterText = Annotated[
    str | None, Query(alias="filter", description='`userName eq "li.na"`; several joined by `and`; only `eq`.')
]


def scim_answer(response: Response) -> Response:
    """The answer of a write as SCIM has it: its media type, and `Location` of what was made."""
    if response.body:
        response.headers["Content-Type"] = SCIM_JSON
        if response.status_code == 201:
            response.headers["Location"] = json.loads(bytes(response.body))["meta"]["location"]
    return response


def scim_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a SCIM route."""
    return foreign_errors(ScimError, 403, *statuses)
