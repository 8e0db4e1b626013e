"""The ledger: every received item ends as exactly one of indexed, skipped, failed, or is still pending."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.access import PRINCIPALS_CTE, READABLE

_OUTCOME = "CASE WHEN v.state IN ('pending', 'staged') THEN 'pending' ELSE v.state END"
_FROM = "FROM versions v JOIN documents d ON d.id = v.document_id JOIN spaces s ON s.id = d.space_id"
# An admin is told numbers of everything, deleted documents included; everyone else only of what they may read.
_COUNTED = f"((SELECT is_admin FROM users WHERE id = :user_id) OR ({READABLE}))"
_IN_SPACE = "(CAST(:space_id AS text) IS NULL OR d.space_id = :space_id)"

_SUMS = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT s.name AS space, {_OUTCOME} AS outcome, v.reason_code, count(*) AS items
    {_FROM} WHERE {_COUNTED} AND {_IN_SPACE}
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
_ITEMS = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT d.id AS document_id, v.number AS version, s.name AS space, d.external_id, v.title, v.file_name,
           {_OUTCOME} AS outcome, v.reason_code, v.reason, v.reason_page, v.pages, v.element_counts, v.created_at
    {_FROM} WHERE {READABLE} AND {_IN_SPACE}
      AND (CAST(:outcome AS text) IS NULL OR {_OUTCOME} = :outcome)
      AND (CAST(:after_document AS text) IS NULL OR (d.id, v.number) < (:after_document, CAST(:after_version AS int)))
    ORDER BY d.id DESC, v.number DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class LedgerSum:
    """How many received items of a space ended this way; `reason_code` says why for skipped and failed ones."""

    space: str
    outcome: str
    reason_code: str | None
    items: int


@dataclass(frozen=True, slots=True)
class LedgerItem:
    """One received item: a version of a document, and how it ended."""

    document_id: str
    version: int
    space: str
    external_id: str | None
    title: str
    file_name: str
    outcome: str
    reason_code: str | None
    reason: str | None
    reason_page: int | None
    pages: int | None
    element_counts: dict[str, int]
    created_at: datetime


def sums(connection: Connection, user_id: str, *, space_id: str | None = None) -> list[LedgerSum]:
    """The sums by space, outcome and reason, of what this user may read (an admin: of everything)."""
    rows = connection.execute(_SUMS, {"user_id": user_id, "space_id": space_id})
    return [LedgerSum(**row._mapping) for row in rows]


def items(
    connection: Connection,
    user_id: str,
    *,
    space_id: str | None = None,
    outcome: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> list[LedgerItem]:
    """The items that this user may read, newest first; `after` is (document, version) of the last one before."""
    document, version = after or (None, None)
    rows = connection.execute(
        _ITEMS,
        {
            "user_id": user_id,
            "space_id": space_id,
            "outcome": outcome,
            "after_document": document,
            "after_version": version,
            "limit": limit,
        },
    )
    return [LedgerItem(**row._mapping) for row in rows]
