"""`/v1/ledger`: every item received ends as exactly one of indexed, skipped, failed, or is pending."""

from collections import Counter
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query

from kbcore.errors import RequestError
from kbcore.metadata import ledger
from kbcore.metadata.ledger import LedgerItem, LedgerSum
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.jobs import Ledger, LedgerLine, Outcome, ReasonCount, SpaceSums, Sums
from services.api.schemas.problem import problems
from services.library.access import named_space

router = APIRouter(prefix="/v1/ledger", tags=["jobs"])


@router.get("", summary="What became of everything received", responses=problems(400, 404))
def read_ledger(
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    space: Annotated[str | None, Query(description="Only this space: id or name.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only items that ended so.")] = None,
) -> Ledger:
    """Sums and items of what you may read; an administrator's sums count everything."""
    with platform.database.begin() as connection:
        space_id = None if space is None else named_space(connection, caller, space).id
        sums = ledger.sums(connection, caller.user_id, space_id=space_id)
        items = ledger.items(
            connection,
            caller.user_id,
            space_id=space_id,
            outcome=outcome,
            after=None if page.after is None else _position(page.after),
            limit=page.fetch,
        )
    lines = page.page(items, _cursor, LedgerLine.of)
    return Ledger(
        totals=Sums.of(sums),
        spaces=[
            SpaceSums(space=name, **Sums.of(list(rows)).model_dump())
            for name, rows in groupby(sums, key=lambda row: row.space)
        ],
        reasons=_reasons(sums),
        items=lines.items,
        next_cursor=lines.next_cursor,
    )


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
