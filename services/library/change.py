"""Changing what is known about a document: columns, the version that records it, the stamp on its index rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kbcore.domain.document import Classification, Document, Origin, Version, VersionState
from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, Forbidden, Unprocessable
from kbcore.metadata import documents, jobs, spaces, versions
from kbcore.permissions.policy import Role
from services.library.derive import Accepted, columns_of, derive

_STAMPED = {"classification", "own_policy_id"}
"""Columns that index rows carry too."""

_OF_VERSIONS = {"title", "tags", "metadata", "effective_from", "effective_to"}
"""Columns that every version has of its own."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change brought about: `version` if it is recorded as one, and the jobs to send after the commit."""

    version: Accepted | None = None
    jobs: tuple[str, ...] = ()


def change_document(
    connection: Connection,
    caller: Caller,
    document: Document,
    values: Mapping[str, object],
    *,
    comment: str | None = None,
) -> Changed:
    """Set columns of a locked document; those that are equal already are left alone.

    Acts with the transaction's commit, for every read is checked in SQL. A change of title, tags, metadata or effective
    dates is a version too; where the latest one is still on its way, it is changed instead.
    Raises `Forbidden`, `Unprocessable`, `Conflict` (`external_id_taken`).
    """
    changed, restamps = set_columns(connection, caller, document, values)
    if not changed.keys() & _OF_VERSIONS:
        return Changed(jobs=restamps)
    version = _record(connection, caller, document, changed, comment)
    return Changed(version, restamps + (() if version is None else version.to_send))


def set_columns(
    connection: Connection, caller: Caller, document: Document, values: Mapping[str, object]
) -> tuple[dict[str, object], tuple[str, ...]]:
    """`change_document` without a version: the columns that were changed, and the job that re-stamps index rows."""
    changed = {name: value for name, value in values.items() if getattr(document, name) != value}
    if not changed:
        return {}, ()
    level = changed.get("classification")
    if isinstance(level, Classification):
        require_clearance(caller, level)
    require_order(
        _time(values.get("effective_from", document.effective_from)),
        _time(values.get("effective_to", document.effective_to)),
    )
    if "external_id" in changed:
        _require_editor_of_space(connection, caller, document)
        if isinstance(changed["external_id"], str):
            _require_free(connection, document, changed["external_id"])
    documents.update(connection, document.id, **_stored(changed))
    if not changed.keys() & _STAMPED:
        return changed, ()
    return changed, (
        jobs.insert(
            connection, JobKind.RESTAMP, created_by=caller.user_id, document_id=document.id, space_id=document.space_id
        ),
    )


def _record(
    connection: Connection, caller: Caller, document: Document, changed: Mapping[str, object], comment: str | None
) -> Accepted | None:
    """Write the change into the history: into the version on its way, or as one of its own that corrects the last."""
    said = _stored({name: value for name, value in changed.items() if name in _OF_VERSIONS})
    if "title" in said:
        versions.retitle_unpublished(connection, document.id, str(said["title"]))
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is None:
        return None
    base: Version | None = latest
    if latest.state is not VersionState.INDEXED:
        versions.restate(connection, document.id, latest.number, **said, **_given(comment))
        if latest.state in (VersionState.PENDING, VersionState.STAGED):
            return None
        base = versions.get(connection, document.id, document.version)
    if base is None:
        return None
    own = {**columns_of(base), **said}
    require_order(_time(own["effective_from"]), _time(own["effective_to"]))
    made = derive(connection, caller, document, base, Origin.METADATA, said=said, comment=comment)
    versions.copy_text(connection, document.id, made.version, source=base.number)
    return made


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


def _require_editor_of_space(connection: Connection, caller: Caller, document: Document) -> None:
    """Whoever has a role in the document only must not find out which external ids its space has."""
    space = spaces.find_space(connection, caller, document.space_id)
    if space is None or space.role is None or not space.role.includes(Role.EDITOR):
        raise Forbidden("Changing the external_id needs the role editor in the document's space.")


def _require_free(connection: Connection, document: Document, external_id: str) -> None:
    spaces.hold_external_id(connection, document.space_id, external_id)
    if documents.lock_by_external_id(connection, document.space_id, external_id) is not None:
        raise Conflict("This external_id is in use in this space.", code="external_id_taken")


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _given(comment: str | None) -> dict[str, object]:
    return {} if comment is None else {"comment": comment}


def _stored(values: Mapping[str, object]) -> dict[str, object]:
    """As the columns take them."""
    return {
        name: int(value) if isinstance(value, Classification) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }
