"""Receiving documents: bytes are in the blob store already, here they become a version and a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from kbcore.blobs.interface import StoredBlob
from kbcore.domain.document import Classification, Document
from kbcore.domain.ids import new_id
from kbcore.domain.media_types import BY_EXTENSION
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, Forbidden, NotFound
from kbcore.metadata import documents, spaces, versions
from kbcore.metadata.access import role_under
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Role
from services.library.access import writable_space
from services.library.change import change_document, require_clearance, require_order, set_columns
from services.library.derive import Accepted, queue_version, unchanged
from services.library.file_names import title_from


@dataclass(frozen=True, slots=True)
class Upload:
    """What a sender says about a file; None = not said."""

    space: str
    title: str | None = None
    classification: Classification | None = None
    external_id: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, object] | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    comment: str | None = None
    source: str | None = None
    source_uri: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Received bytes; `name` is a safe file name."""

    name: str
    blob: StoredBlob


def accept(connection: Connection, caller: Caller, upload: Upload, file: StoredFile) -> Accepted:
    """A new document, or a new version of the one with this external id in the space.

    Raises `NotFound("space")`, `Forbidden`, `Conflict` (`external_id_taken`), `Unprocessable`.
    """
    space = writable_space(connection, caller, upload.space).space
    if not spaces.hold_space(connection, space.id):
        raise NotFound("space")
    if upload.external_id is not None:
        spaces.hold_external_id(connection, space.id, upload.external_id)
        existing = documents.lock_by_external_id(connection, space.id, upload.external_id)
        if existing is not None:
            _require_editor(connection, caller, existing)
            return _accept_version(connection, caller, existing, upload, file)
    document_id = _insert(connection, caller, space.id, upload, file)
    return queue_version(
        connection,
        caller,
        space.id,
        _new_version(caller, document_id, file, upload.title or title_from(file.name), upload),
    )


def add_version(
    connection: Connection, caller: Caller, document: Document, file: StoredFile, *, comment: str | None = None
) -> Accepted:
    """The next version of a locked document, unless its latest one has these bytes."""
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is not None and latest.sha256 == file.blob.sha256:
        return unchanged(connection, document.id, latest.number)
    said = Upload(space=document.space_id, comment=comment)
    return queue_version(
        connection, caller, document.space_id, _new_version(caller, document.id, file, document.title, said)
    )


def _accept_version(
    connection: Connection, caller: Caller, document: Document, upload: Upload, file: StoredFile
) -> Accepted:
    """What was said is the document's first, for the version takes it from there; only the title is the version's."""
    said = _said(upload)
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is not None and latest.sha256 == file.blob.sha256:
        changed = change_document(connection, caller, document, said, comment=upload.comment)
        accepted = changed.version or unchanged(connection, document.id, latest.number)
        return replace(accepted, to_send=changed.jobs)
    title = str(said.pop("title", document.title))
    _, restamps = set_columns(connection, caller, document, said)
    new = _new_version(caller, document.id, file, title, upload)
    accepted = queue_version(connection, caller, document.space_id, new)
    return replace(accepted, to_send=accepted.to_send + restamps)


def _insert(connection: Connection, caller: Caller, space_id: str, upload: Upload, file: StoredFile) -> str:
    level = Classification.INTERNAL if upload.classification is None else upload.classification
    require_clearance(caller, level)
    require_order(upload.effective_from, upload.effective_to)
    document_id = new_id()
    documents.insert(
        connection,
        NewDocument(
            id=document_id,
            space_id=space_id,
            external_id=upload.external_id,
            title=upload.title or title_from(file.name),
            classification=level,
            tags=upload.tags or (),
            metadata=upload.metadata or {},
            effective_from=upload.effective_from,
            effective_to=upload.effective_to,
            created_by=caller.user_id,
            source=upload.source,
        ),
    )
    return document_id


def _new_version(caller: Caller, document_id: str, file: StoredFile, title: str, upload: Upload) -> NewVersion:
    extension = f".{file.name.rpartition('.')[2]}".lower()
    return NewVersion(
        document_id=document_id,
        sha256=file.blob.sha256,
        size=file.blob.size,
        file_name=file.name,
        media_type=BY_EXTENSION.get(extension, "application/octet-stream"),
        title=title,
        created_by=caller.user_id,
        comment=upload.comment,
        source_uri=upload.source_uri,
    )


def _require_editor(connection: Connection, caller: Caller, existing: Document) -> None:
    if documents.get_readable(connection, caller.user_id, existing.id) is None:
        raise Conflict("This external_id is in use in this space.", code="external_id_taken")
    role = role_under(connection, caller, existing.policy_id)
    if role is None or not role.includes(Role.EDITOR):
        raise Forbidden("You may read the document with this external_id, but not change it.")


def _said(upload: Upload) -> dict[str, object]:
    said = {
        "title": upload.title,
        "classification": upload.classification,
        "tags": None if upload.tags is None else tuple(upload.tags),
        "metadata": upload.metadata,
        "effective_from": upload.effective_from,
        "effective_to": upload.effective_to,
        "source": upload.source,
    }
    return {name: value for name, value in said.items() if value is not None}
