"""Complaints: feedback that wants somebody to look into an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

_SHOWN = "id, user_id, trace_id, rating, reason, comment, created_at, closed_at, closed_by, closing_note"
_PAGE = sa.text(f"""
    SELECT {_SHOWN} FROM feedback
    WHERE complaint AND (CAST(:open AS boolean) IS NULL OR (closed_at IS NULL) = CAST(:open AS boolean))
        AND (CAST(:before AS text) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")
_ONE = sa.text(f"SELECT {_SHOWN} FROM feedback WHERE complaint AND id = :id FOR UPDATE")
_CLOSE = sa.text(f"""
    UPDATE feedback SET closed_at = now(), closed_by = :closed_by, closing_note = :note WHERE id = :id
    RETURNING {_SHOWN}
""")

# What an answer was written from: what its trace retrieved and, should that be gone, what its turn cites or names.
_DOCUMENTS = sa.text("""
    SELECT t.trace_id, p->>'document_id' AS document_id
    FROM traces t, jsonb_array_elements(t.path->'passages') p WHERE t.trace_id = ANY(:trace_ids)
    UNION
    SELECT t.trace_id, s.document_id FROM turns t JOIN turn_sources s ON s.turn_id = t.id
    WHERE t.trace_id = ANY(:trace_ids)
    UNION
    SELECT t.trace_id, NULL FROM traces t WHERE t.trace_id = ANY(:trace_ids)
""").bindparams(sa.bindparam("trace_ids", type_=ARRAY(sa.Text)))


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint. `reason` and `comment` are the person's words, `closing_note` those of who closed it."""

    id: str
    user_id: str
    trace_id: str
    rating: int
    reason: str | None
    comment: str | None
    created_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closing_note: str | None


def page(connection: Connection, *, open_only: bool | None, limit: int, before: str | None) -> list[Complaint]:
    """The newest first; `open_only` None = open and closed ones, False = closed ones. `before` is an id."""
    values = {"open": open_only, "limit": limit, "before": before}
    return [Complaint(**row._mapping) for row in connection.execute(_PAGE, values)]


def get(connection: Connection, complaint_id: str) -> Complaint | None:
    """The complaint, held until the end of the transaction."""
    row = connection.execute(_ONE, {"id": complaint_id}).one_or_none()
    return None if row is None else Complaint(**row._mapping)


def close(connection: Connection, complaint_id: str, *, closed_by: str, note: str) -> Complaint:
    """Somebody has looked into it; the complaint as it is now."""
    row = connection.execute(_CLOSE, {"id": complaint_id, "closed_by": closed_by, "note": note}).one()
    return Complaint(**row._mapping)


def documents_behind(connection: Connection, trace_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The documents that each of these answers was written from; an answer of which nothing is kept is missing."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(_DOCUMENTS, {"trace_ids": list(trace_ids)}):
        found.setdefault(row.trace_id, set()).update({row.document_id} - {None})
    return {trace_id: frozenset(documents) for trace_id, documents in found.items()}
