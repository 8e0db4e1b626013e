"""`/v1/ledger`: every item received ends as exactly one of indexed, skipped, failed, or is pending."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query

from kbcore.errors import RequestError
from kbcore.metadata import ledger
from kbcore.metadata.ledger import LedgerItem, LedgerSum, ReceivedSum
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.paging import PageDep
from services.api.schemas.ledger import (
    Ledger,
    LedgerLine,
    Outcome,
    ReasonCount,
    SourceSums,
    SpaceSums,
    Sums,
)
from services.api.schemas.problem import problems
from services.library.access import named_space

router = APIRouter(prefix="/v1/ledger", tags=["jobs"])


@router.get("", summary="What became of everything received", responses=problems(400, 404))
def read_ledger(
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    space: Annotated[str | None, Query(description="Only this space: id or name.")] = None,
    source: Annotated[
        str | None, Query(max_length=500, description="Only what came from this source; empty = by hand.")
    ] = None,
    outcome: Annotated[Outcome | None, Query(description="Only items that ended so.")] = None,
) -> Ledger:
    """Sums and items of what you may read; an administrator's sums count everything, erased documents included."""
    with platform.database.snapshot() as connection:  # what was received and what became of it, at one moment
        space_id = None if space is None else named_space(connection, caller, space).id
        received = ledger.received(connection, caller, space_id=space_id, source=source)
        ended = ledger.sums(connection, caller, space_id=space_id, source=source)
        items = ledger.items(
            connection,
            caller,
            space_id=space_id,
            source=source,
            outcome=outcome,
            after=None if page.after is None else _position(page.after),
            limit=page.fetch,
        )
    seen.shows(item.document_id for item in items[: page.limit])
    lines = page.page(items, _cursor, LedgerLine.of)
    return Ledger(
        totals=Sums.of(received, ended),
        spaces=_by_space(received, ended),
        sources=_by_source(received, ended),
        reasons=_reasons(ended),
        items=lines.items,
        next_cursor=lines.next_cursor,
    )


def _by_space(received: list[ReceivedSum], ended: list[LedgerSum]) -> list[SpaceSums]:
    found = []
    for name in dict.fromkeys(row.space for row in received):
        part = Sums.of((row for row in received if row.space == name), (row for row in ended if row.space == name))
        found.append(SpaceSums(space=name, **part.model_dump()))
    return found


def _by_source(received: list[ReceivedSum], ended: list[LedgerSum]) -> list[SourceSums]:
    found = []
    for one in received:
        part = Sums.of([one], (row for row in ended if _origin(row) == _origin(one)))
        found.append(SourceSums(space=one.space, source=one.source, withheld=one.withheld, **part.model_dump()))
    return found


def _origin(row: ReceivedSum | LedgerSum) -> tuple[str, str | None, bool]:
    return row.space, row.source, row.withheld


def _reasons(sums: list[LedgerSum]) -> list[ReasonCount]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in sums:
        if row.reason_code is not None and row.outcome in ("skipped", "failed"):
            counts[row.outcome, row.reason_code] += row.items
    return [
        ReasonCount.model_validate({"outcome": outcome, "code": code, "items": items})
        for (outcome, code), items in counts.most_common()
    ]


def _cursor(item: LedgerItem) -> str:
    return f"{item.document_id}/{item.version}"


def _position(cursor: str) -> tuple[str, int]:
    document_id, _, version = cursor.partition("/")
    if not version.isdecimal() or len(version) > 9:
        raise RequestError("The cursor is not one that a list has given out.", code="invalid_cursor")
    return document_id, int(version)
