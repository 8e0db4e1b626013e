"""Lists in pages: `?limit=&cursor=` in, `items` and `next_cursor` out."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from kbcore.errors import RequestError
from services.api.dependencies import CallerDep
from services.api.schemas.page import Page

Row = TypeVar("Row")
Shown = TypeVar("Shown", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` items, those after the id `after` in the list's order."""

    limit: int
    after: str | None

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than is shown tells whether there is a next page."""
        return self.limit + 1

    def page(self, rows: Sequence[Row], row_id: Callable[[Row], str], show: Callable[[Row], Shown]) -> Page[Shown]:
        """The page of these rows."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(items=[show(row) for row in shown], next_cursor=_encode(row_id(shown[-1])) if more else None)


def _page_request(
    _caller: CallerDep,  # before the cursor is judged: a stranger is told 401, whatever else is wrong
    limit: Annotated[int, Query(ge=1, le=200, description="Items on one page, 1 to 200.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
) -> PageRequest:
    return PageRequest(limit, None if cursor is None else _decode(cursor))


PageDep = Annotated[PageRequest, Depends(_page_request)]


def _encode(row_id: str) -> str:
    return base64.urlsafe_b64encode(row_id.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        row_id = ""
    if not row_id or "\x00" in row_id:
        raise RequestError("The cursor is not one that a list has given out.", code="invalid_cursor")
    return row_id


def single_page(rows: Sequence[Row], show: Callable[[Row], Shown]) -> Page[Shown]:
    """A list that is short by nature, whole."""
    return Page(items=[show(row) for row in rows], next_cursor=None)
