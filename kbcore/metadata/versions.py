"""Versions of documents in SQL: the bytes' address, the stored text, and when readers saw which one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.domain.document import Origin, Replaces, Version, VersionState
from kbcore.errors import Conflict, ItemError
from kbcore.metadata import blob_references
from kbcore.metadata.tables import documents, publications, versions

_TEXTS = ("text", "outline", "parsed_text")
_LISTED = [column for column in versions.c if column.name not in _TEXTS]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """Bytes that are in the blob store, and how they came to be a version.

    `replaces` says which published versions it ends (`covered` unless it corrects or undoes one). Tags, metadata and
    effective dates are the document's, as they stand when the version is inserted.
    """

    document_id: str
    sha256: str
    size: int
    file_name: str
    media_type: str
    title: str
    created_by: str
    comment: str | None = None
    origin: Origin = Origin.UPLOAD
    source_uri: str | None = None
    based_on: int | None = None
    replaces: Replaces = Replaces.COVERED


def insert(connection: Connection, new: NewVersion) -> int:
    """Add the next version of a document as pending and return its number. The document's row gets locked.

    Raises `Conflict` (`version_without_text`) if the version that it is based on is gone.
    """
    blob_references.hold_for_use(connection, new.sha256)
    if new.based_on is not None:
        _require_kept(connection, new.document_id, new.based_on)
    document = connection.execute(
        documents.update()
        .where(documents.c.id == new.document_id)
        .values(latest_version=documents.c.latest_version + 1, updated_at=sa.func.now())
        .returning(
            documents.c.latest_version,
            documents.c.tags,
            documents.c.metadata,
            documents.c.effective_from,
            documents.c.effective_to,
        )
    ).one()
    connection.execute(
        versions.insert().values(
            document_id=new.document_id,
            number=document.latest_version,
            sha256=new.sha256,
            size=new.size,
            file_name=new.file_name,
            media_type=new.media_type,
            title=new.title,
            state=VersionState.PENDING,
            created_by=new.created_by,
            comment=new.comment,
            origin=new.origin,
            source_uri=new.source_uri,
            based_on=new.based_on,
            replaces=new.replaces,
            tags=document.tags,
            metadata=document.metadata,
            effective_from=document.effective_from,
            effective_to=document.effective_to,
        )
    )
    return int(document.latest_version)


def get(connection: Connection, document_id: str, number: int) -> Version | None:
    """One version, without its text."""
    row = connection.execute(
        sa.select(*_LISTED).where(versions.c.document_id == document_id, versions.c.number == number)
    ).one_or_none()
    return None if row is None else _version(row)


def list_of(connection: Connection, document_id: str) -> list[Version]:
    """All versions of a document, newest first, without their texts."""
    rows = connection.execute(
        sa.select(*_LISTED).where(versions.c.document_id == document_id).order_by(versions.c.number.desc())
    )
    return [_version(row) for row in rows]


def latest_of(connection: Connection, document_ids: Collection[str]) -> dict[str, Version]:
    """The newest received version of each document, without its text, by document id."""
    rows = connection.execute(
        sa.select(*_LISTED)
        .join(documents, (documents.c.id == versions.c.document_id) & (documents.c.latest_version == versions.c.number))
        .where(documents.c.id.in_(document_ids))
    )
    return {row.document_id: _version(row) for row in rows}


def newest_indexed(connection: Connection, document_id: str) -> Version | None:
    """The newest version that was published, without its text: what a correction starts from."""
    row = connection.execute(
        sa.select(*_LISTED)
        .where(
            versions.c.document_id == document_id,
            versions.c.state == VersionState.INDEXED,
            versions.c.text.is_not(None),
        )
        .order_by(versions.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _version(row)


def published_at(connection: Connection, document_id: str) -> dict[int, datetime]:
    """When each published version of a document was published, by its number."""
    rows = connection.execute(
        sa.select(versions.c.number, publications.c.committed_at)
        .join(publications, publications.c.epoch == versions.c.valid_from)
        .where(versions.c.document_id == document_id)
    )
    return {row.number: row.committed_at for row in rows}


def stored_text(connection: Connection, document_id: str, number: int) -> StoredText | None:
    """The stored text and outline of a version; None before it was parsed."""
    row = connection.execute(
        sa.select(versions.c.text, versions.c.outline).where(
            versions.c.document_id == document_id, versions.c.number == number
        )
    ).one_or_none()
    return None if row is None or row.text is None else _stored(row)


def published_texts(connection: Connection, document_id: str) -> list[tuple[Version, StoredText]]:
    """Every version that was ever published and has not been purged, with its text, oldest first."""
    rows = connection.execute(
        sa.select(versions)
        .where(versions.c.document_id == document_id, versions.c.valid_from.is_not(None), versions.c.text.is_not(None))
        .order_by(versions.c.number)
    )
    return [(_version(row), _stored(row)) for row in rows]


def parsed_text(connection: Connection, document_id: str, number: int) -> str | None:
    """What a version's bytes were read as, without what people have edited since; None before they were read."""
    return connection.execute(
        sa.select(sa.func.coalesce(versions.c.parsed_text, versions.c.text)).where(
            versions.c.document_id == document_id, versions.c.number == number
        )
    ).scalar_one_or_none()


def store_text(
    connection: Connection,
    document_id: str,
    number: int,
    stored: StoredText,
    *,
    media_type: str,
    title: str,
    language: str,
    pages: int | None,
    element_counts: Mapping[str, int],
    parsed_text: str | None = None,
) -> bool:
    """Keep what parsing and cleaning found; `parsed_text` is that without the edits that were laid over it.

    False, and nothing is kept, if the version was purged or erased.
    """
    outline = [[span.kind.value, span.start, span.end, span.page, span.depth] for span in stored.outline]
    return _set(
        connection,
        document_id,
        number,
        text=stored.text,
        outline=outline,
        media_type=media_type,
        title=title,
        language=language,
        pages=pages,
        element_counts=dict(element_counts),
        parsed_text=None if parsed_text == stored.text else parsed_text,
    )


def copy_text(connection: Connection, document_id: str, number: int, *, source: int) -> None:
    """Give a version the stored text of another one of its document, so that nobody parses it again."""
    connection.execute(
        sa.text("""
            UPDATE versions v SET text = s.text, outline = s.outline, parsed_text = s.parsed_text,
                media_type = s.media_type, language = s.language, pages = s.pages, element_counts = s.element_counts
            FROM versions s
            WHERE s.document_id = :document AND s.number = :source
              AND v.document_id = :document AND v.number = :number
        """),
        {"document": document_id, "source": source, "number": number},
    )


def restate(connection: Connection, document_id: str, number: int, **values: object) -> None:
    """Change what is said about a version that readers have not seen: tags, metadata, effective dates, comment."""
    if values:
        _set(connection, document_id, number, **values)


def hold_pending(connection: Connection, document_id: str, number: int) -> bool:
    """Keep a version pending until the transaction ends; False if it has ended already (cancelled, erased)."""
    query = sa.select(versions.c.number).where(
        versions.c.document_id == document_id, versions.c.number == number, versions.c.state == VersionState.PENDING
    )
    return connection.execute(query.with_for_update(read=True)).one_or_none() is not None


def mark_staged(connection: Connection, generation_id: int, document_id: str, number: int) -> bool:
    """Say that a pending version's chunks of this generation wait for publication; False if it is not pending."""
    return _move(
        connection,
        document_id,
        number,
        (VersionState.PENDING,),
        state=VersionState.STAGED,
        staged_in=generation_id,
    )


def mark_ended(connection: Connection, document_id: str, number: int, state: VersionState, reason: ItemError) -> bool:
    """End a waiting version as skipped or failed, with the reason; False if it has ended or was published already."""
    return _move(
        connection,
        document_id,
        number,
        (VersionState.PENDING, VersionState.STAGED),
        state=state,
        reason_code=reason.code,
        reason=reason.detail,
        reason_page=reason.page,
    )


def mark_pending(connection: Connection, document_id: str, number: int) -> bool:
    """Put a failed or skipped version back in line (a retry); False if it is neither, or purged."""
    return _move(
        connection,
        document_id,
        number,
        (VersionState.FAILED, VersionState.SKIPPED),
        state=VersionState.PENDING,
        reason_code=None,
        reason=None,
        reason_page=None,
    )


def retitle_unpublished(connection: Connection, document_id: str, title: str) -> None:
    """Give a document's waiting versions its new title, or their publication would bring the old one back."""
    connection.execute(
        versions.update()
        .where(
            versions.c.document_id == document_id,
            versions.c.state.in_((VersionState.PENDING, VersionState.STAGED, VersionState.FAILED)),
        )
        .values(title=title)
    )


def _set(connection: Connection, document_id: str, number: int, **values: object) -> bool:
    """Set columns of a version; False, and nothing is set, if it was purged or erased."""
    result = connection.execute(
        versions.update()
        .where(versions.c.document_id == document_id, versions.c.number == number, versions.c.purged_at.is_(None))
        .values(**values)
    )
    return result.rowcount == 1


def _require_kept(connection: Connection, document_id: str, number: int) -> None:
    """Raises `Conflict` if a version was purged, and keeps it from being purged until the transaction ends."""
    row = connection.execute(
        sa.select(versions.c.purged_at, versions.c.state, versions.c.text.is_(None).label("empty"))
        .where(versions.c.document_id == document_id, versions.c.number == number)
        .with_for_update(read=True)
    ).one_or_none()
    if row is not None and (row.purged_at is not None or (row.empty and row.state == VersionState.INDEXED)):
        raise Conflict(f"Version {number} was purged; its content is gone.", code="version_without_text")


def _move(
    connection: Connection, document_id: str, number: int, states: Collection[VersionState], **values: object
) -> bool:
    """Set columns of a version that is in one of these states; the row stays locked until the transaction ends.

    False, and nothing is set, if it is in another state, or was purged: what a purge has claimed does not come back.
    """
    result = connection.execute(
        versions.update()
        .where(
            versions.c.document_id == document_id,
            versions.c.number == number,
            versions.c.state.in_(states),
            versions.c.purged_at.is_(None),
        )
        .values(**values)
    )
    return result.rowcount == 1


def _stored(row: Row[*tuple[Any, ...]]) -> StoredText:
    outline = tuple(Span(ElementKind(kind), start, end, page, depth) for kind, start, end, page, depth in row.outline)
    return StoredText(row.text, outline)


def _version(row: Row[tuple[object, ...]]) -> Version:
    values = {name: value for name, value in row._mapping.items() if name not in _TEXTS}
    typed = {
        "state": VersionState(row.state),
        "origin": Origin(row.origin),
        "replaces": Replaces(row.replaces),
        "tags": tuple(row.tags),
    }
    return Version(**{**values, **typed})
