"""Going back to an older version, correcting the stored text, reading the bytes again: each is a new version."""

from collections import Counter

from sqlalchemy import Connection

from kbcore.domain.chunk import StoredText
from kbcore.domain.document import Document, Origin, Replaces, Version, VersionState
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, NotFound, Unprocessable
from kbcore.language.script import detect_language
from kbcore.metadata import documents, versions
from kbcore.revisions.outline import carried_outline
from services.library.derive import Accepted, columns_of, derive, unchanged

_MAX_NUMBER = 2**31


def existing_version(connection: Connection, document_id: str, number: int) -> Version:
    """One version of a document that the caller may read. Raises `NotFound("version")`."""
    version = versions.get(connection, document_id, number) if 0 < number < _MAX_NUMBER else None
    if version is None:
        raise NotFound("version")
    return version


def text_of(connection: Connection, document_id: str, number: int) -> StoredText:
    """The stored text of one. Raises `NotFound("version")`, `Conflict` (`version_without_text`)."""
    existing_version(connection, document_id, number)
    stored = versions.stored_text(connection, document_id, number)
    if stored is None:
        raise Conflict(
            f"Version {number} has no stored text: it is not parsed yet, was not read, or was purged.",
            code="version_without_text",
        )
    return stored


def roll_back(connection: Connection, caller: Caller, document: Document, to: int, comment: str | None) -> Accepted:
    """A version equal to version `to` of a locked document, which ends every other one; its vectors are reused.

    Raises `NotFound("version")`, `Conflict` (`version_without_text`).
    """
    target = existing_version(connection, document.id, to)
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is not None and document.version == latest.number and _equals(latest, to):
        return unchanged(connection, document.id, latest.number)
    text_of(connection, document.id, to)
    said = columns_of(target)
    del said["title"]  # comes with the version, when readers see that
    documents.update(connection, document.id, **said)
    accepted = derive(connection, caller, document, target, Origin.ROLLBACK, replaces=Replaces.ALL, comment=comment)
    versions.copy_text(connection, document.id, accepted.version, source=to)
    return accepted


def edit_text(connection: Connection, caller: Caller, document: Document, text: str, comment: str | None) -> Accepted:
    """A version of a locked document whose stored text somebody corrected; what was left alone keeps its outline.

    Raises `Conflict` (`version_in_progress`, `nothing_indexed`), `Unprocessable` (`empty_text`).
    """
    base = _correctable(connection, document)
    stored = text_of(connection, document.id, base.number)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise Unprocessable("The text is empty. To take the document away, delete it.", code="empty_text")
    if text == stored.text:
        return unchanged(connection, document.id, base.number)
    edited = StoredText(text, carried_outline(stored, text))
    accepted = derive(connection, caller, document, base, Origin.EDIT, comment=comment)
    versions.store_text(
        connection,
        document.id,
        accepted.version,
        edited,
        media_type=base.media_type,
        title=base.title,
        language=detect_language(text),
        pages=base.pages,
        element_counts=Counter(span.kind.value for span in edited.outline),
        parsed_text=versions.parsed_text(connection, document.id, base.number),
    )
    return accepted


def reparse(connection: Connection, caller: Caller, document: Document, comment: str | None) -> Accepted:
    """A version of a locked document from the bytes of its newest indexed one, read again; edits are laid over it.

    Raises `Conflict` (`version_in_progress`, `nothing_indexed`).
    """
    return derive(connection, caller, document, _correctable(connection, document), Origin.REPARSE, comment=comment)


def _correctable(connection: Connection, document: Document) -> Version:
    """The version that a correction starts from. Not while a newer one is on its way: that would be undone."""
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is not None and latest.state in (VersionState.PENDING, VersionState.STAGED):
        raise Conflict(
            f"Version {latest.number} is still being ingested; wait for its job.", code="version_in_progress"
        )
    base = versions.newest_indexed(connection, document.id)
    if base is None:
        raise Conflict("No version of this document is indexed yet.", code="nothing_indexed")
    return base


def _equals(latest: Version, to: int) -> bool:
    return latest.number == to or (latest.origin is Origin.ROLLBACK and latest.based_on == to)
