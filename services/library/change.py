"""Changing what is known about a document: columns, and their stamp on its index rows."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from kbcore.domain.document import Classification, Document
from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.errors import Forbidden, Unprocessable
from kbcore.metadata import documents, jobs, versions

_STAMPED = {"classification", "own_policy_id"}
"""Columns that index rows carry too."""


def change_document(
    connection: Connection, caller: Caller, document: Document, values: Mapping[str, object]
) -> str | None:
    """Set columns of a locked document; those that are equal already are left alone.

    Acts with the transaction's commit, for every read is checked in SQL. Returns the job that re-stamps the document's
    index rows, None if they need none. Raises `Forbidden`, `Unprocessable`.
    """
    changed = {name: value for name, value in values.items() if getattr(document, name) != value}
    if not changed:
        return None
    level = changed.get("classification")
    if isinstance(level, Classification):
        require_clearance(caller, level)
    require_order(
        _time(values.get("effective_from", document.effective_from)),
        _time(values.get("effective_to", document.effective_to)),
    )
    documents.update(connection, document.id, **{name: _stored(value) for name, value in changed.items()})
    if "title" in changed:
        versions.retitle_unpublished(connection, document.id, str(changed["title"]))
    if not changed.keys() & _STAMPED:
        return None
    return jobs.insert(
        connection, JobKind.RESTAMP, created_by=caller.user_id, document_id=document.id, space_id=document.space_id
    )


def delete_document(connection: Connection, caller: Caller, document: Document) -> str:
    """Hide a document from everybody with the transaction's commit; returns the job that closes its index rows."""
    documents.mark_deleted(connection, document.id, caller.user_id)
    return jobs.insert(
        connection, JobKind.WITHDRAW, created_by=caller.user_id, document_id=document.id, space_id=document.space_id
    )


def require_clearance(caller: Caller, level: Classification) -> None:
    """Nobody classifies a document above its own clearance. Raises `Forbidden` (`above_clearance`)."""
    if level > caller.clearance:
        raise Forbidden(
            f"Your clearance is {caller.clearance.word}; you cannot classify a document as {level.word}.",
            code="above_clearance",
        )


def require_order(effective_from: datetime | None, effective_to: datetime | None) -> None:
    """Raises `Unprocessable` (`effective_dates`) if a document would end before it begins."""
    if effective_from is not None and effective_to is not None and effective_from >= effective_to:
        raise Unprocessable("effective_from must be before effective_to.", code="effective_dates")


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _stored(value: object) -> object:
    if isinstance(value, Classification):
        return int(value)
    return list(value) if isinstance(value, tuple) else value
