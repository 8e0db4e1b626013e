"""The ledger: every received item ends as exactly one of indexed, skipped, failed, or is still pending.

What was received is counted by the documents (each numbers its versions as they come), what became of it by the
versions: two counts of the same thing, which must agree.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.principal import Caller
from kbcore.metadata.access import ENTITLED, IN_CHARGE, PRINCIPALS_CTE, READABLE, asker

OUTCOMES = ("indexed", "skipped", "failed", "pending")
"""How a received item ends; `pending` has not ended yet."""

BY_HAND = ""
"""The source, in a question, of documents that are not kept in step with anything."""

_OUTCOME = "CASE WHEN v.state IN ('pending', 'staged') THEN 'pending' ELSE v.state END"
_FROM = "FROM versions v JOIN documents d ON d.id = v.document_id JOIN spaces s ON s.id = d.space_id"
# An admin is told numbers of everything, deleted documents included; everyone else only of what they may read.
_COUNTED = f"({IN_CHARGE} OR ({READABLE}))"
# What a source is called may tell what is in it: it is named, and can be asked for, by whoever reads something of it.
_TOLD = f"COALESCE({ENTITLED}, false)"
_SOURCE = f"CASE WHEN {_TOLD} THEN d.source END AS source, NOT {_TOLD} AS withheld"
_NARROWED = f"""(CAST(:space_id AS text) IS NULL OR d.space_id = :space_id)
    AND (CAST(:source AS text) IS NULL OR (COALESCE(d.source, '') = :source AND {_TOLD}))"""

_RECEIVED = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT s.name AS space, {_SOURCE}, sum(d.latest_version) AS items
    FROM documents d JOIN spaces s ON s.id = d.space_id
    WHERE {_COUNTED} AND {_NARROWED}
    GROUP BY 1, 2, 3 ORDER BY 1, 3, 2 NULLS FIRST
""")
_SUMS = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT s.name AS space, {_SOURCE}, {_OUTCOME} AS outcome, v.reason_code, count(*) AS items
    {_FROM} WHERE {_COUNTED} AND {_NARROWED}
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 2 NULLS FIRST, 4, 5
""")
_ITEMS = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT d.id AS document_id, v.number AS version, s.name AS space, d.source, d.external_id, v.title, v.file_name,
           {_OUTCOME} AS outcome, v.reason_code, v.reason, v.reason_page, v.pages, v.element_counts, v.created_at
    {_FROM} WHERE {READABLE} AND {_NARROWED} AND {_OUTCOME} = ANY(:outcomes)
      AND (CAST(:after_document AS text) IS NULL OR (d.id, v.number) < (:after_document, CAST(:after_version AS int)))
    ORDER BY d.id DESC, v.number DESC LIMIT :limit
""")

# By document, so that one item too many here cannot hide one too few there. Both counts of versions read an index only;
# a state that is no outcome counts for itself.
_BALANCE = sa.text(f"""
    WITH ended AS (
        SELECT outcome, sum(items) AS items
        FROM (SELECT {_OUTCOME} AS outcome, items FROM (SELECT state, count(*) AS items FROM versions GROUP BY 1) v) o
        GROUP BY 1
    ),
    counted AS (SELECT document_id, count(*) AS items FROM versions GROUP BY 1)
    SELECT COALESCE((SELECT jsonb_object_agg(outcome, items) FROM ended), '{{}}') AS outcomes,
        COALESCE(sum(d.latest_version), 0) AS received,
        COALESCE(sum(abs(d.latest_version - COALESCE(c.items, 0))), 0)
            + COALESCE((SELECT sum(items) FROM ended WHERE outcome <> ALL(:outcomes)), 0) AS imbalance
    FROM documents d LEFT JOIN counted c ON c.document_id = d.id
""")


@dataclass(frozen=True, slots=True)
class ReceivedSum:
    """How many items of a space came from a source (None = by hand), as the documents count them.

    `withheld`: of documents that the asker may not read, whatever their sources are.
    """

    space: str
    source: str | None
    withheld: bool
    items: int


@dataclass(frozen=True, slots=True)
class LedgerSum:
    """How many received items of a space and source ended this way; `reason_code` says why for skipped and failed."""

    space: str
    source: str | None
    withheld: bool
    outcome: str
    reason_code: str | None
    items: int


@dataclass(frozen=True, slots=True)
class LedgerItem:
    """One received item: a version of a document, and how it ended."""

    document_id: str
    version: int
    space: str
    source: str | None
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


@dataclass(frozen=True, slots=True)
class Balance:
    """The whole installation's books. `imbalance` sums, over documents, received items that no outcome accounts for."""

    received: int
    by_outcome: dict[str, int]
    imbalance: int


def received(
    connection: Connection, caller: Caller, *, space_id: str | None = None, source: str | None = None
) -> list[ReceivedSum]:
    """What was received, by space and source, of what this caller may read (an admin: of everything)."""
    rows = connection.execute(_RECEIVED, {**asker(caller), "space_id": space_id, "source": source})
    return [ReceivedSum(row.space, row.source, row.withheld, int(row.items)) for row in rows]


def sums(
    connection: Connection, caller: Caller, *, space_id: str | None = None, source: str | None = None
) -> list[LedgerSum]:
    """What became of it, by space, source, outcome and reason. `source` `BY_HAND` = of no source; None = all."""
    rows = connection.execute(_SUMS, {**asker(caller), "space_id": space_id, "source": source})
    return [LedgerSum(**row._mapping) for row in rows]


def items(
    connection: Connection,
    caller: Caller,
    *,
    space_id: str | None = None,
    source: str | None = None,
    outcome: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> list[LedgerItem]:
    """The items that this caller may read, newest first; `after` is (document, version) of the last one before."""
    document, version = after or (None, None)
    rows = connection.execute(
        _ITEMS,
        {
            **asker(caller),
            "space_id": space_id,
            "source": source,
            "outcomes": list(OUTCOMES) if outcome is None else [outcome],
            "after_document": document,
            "after_version": version,
            "limit": limit,
        },
    )
    return [LedgerItem(**row._mapping) for row in rows]


def balance(connection: Connection) -> Balance:
    """Both counts of everything, whoever may read it: for monitoring."""
    row = connection.execute(_BALANCE, {"outcomes": list(OUTCOMES)}).one()
    by_outcome = {outcome: int(row.outcomes.get(outcome, 0)) for outcome in OUTCOMES}
    return Balance(int(row.received), by_outcome, int(row.imbalance))
