"""Receiving documents: bytes are in the blob store already, here they become a version and a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from kbcore.blobs.interface import StoredBlob
from kbcore.domain.document import Classification, Document
from kbcore.domain.ids import new_id
from kbcore.domain.job import JobKind
from kbcore.domain.media_types import BY_EXTENSION
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, Forbidden, NotFound
from kbcore.metadata import documents, jobs, spaces, versions
from kbcore.metadata.access import role_under
from kbcore.metadata.documents import NewDocument
from kbcore.metadata.versions import NewVersion
from kbcore.permissions.policy import Role
from services.library.access import writable_space
from services.library.change import change_document, require_clearance, require_order
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


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Received bytes; `name` is a safe file name."""

    name: str
    blob: StoredBlob


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an upload. `unchanged`: the latest version has these bytes already; its own job is named.

    `to_send` are the jobs to send after the commit.
    """

    document_id: str
    version: int
    job_id: str | None
    unchanged: bool
    to_send: tuple[str, ...]


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
    return _version_and_job(connection, caller, document_id, space.id, file, upload.title or title_from(file.name))


def add_version(
    connection: Connection, caller: Caller, document: Document, file: StoredFile, *, title: str | None = None
) -> Accepted:
    """The next version of a locked document, unless its latest one has these bytes."""
    latest = versions.get(connection, document.id, document.latest_version)
    if latest is not None and latest.sha256 == file.blob.sha256:
        job_id = jobs.ingest_job_of(connection, document.id, latest.number)
        return Accepted(document.id, latest.number, job_id, unchanged=True, to_send=())
    return _version_and_job(connection, caller, document.id, document.space_id, file, title or document.title)


def _accept_version(
    connection: Connection, caller: Caller, document: Document, upload: Upload, file: StoredFile
) -> Accepted:
    accepted = add_version(connection, caller, document, file, title=upload.title)
    said = _said(upload)
    if not accepted.unchanged:
        said.pop("title", None)  # comes with the version, when that is published
    restamp = change_document(connection, caller, document, said)
    return replace(accepted, to_send=accepted.to_send + ((restamp,) if restamp else ()))


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
        ),
    )
    return document_id


def _version_and_job(
    connection: Connection, caller: Caller, document_id: str, space_id: str, file: StoredFile, title: str
) -> Accepted:
    extension = f".{file.name.rpartition('.')[2]}".lower()
    number = versions.insert(
        connection,
        NewVersion(
            document_id=document_id,
            sha256=file.blob.sha256,
            size=file.blob.size,
            file_name=file.name,
            media_type=BY_EXTENSION.get(extension, "application/octet-stream"),
            title=title,
            created_by=caller.user_id,
        ),
    )
    job_id = jobs.insert(
        connection,
        JobKind.INGEST,
        created_by=caller.user_id,
        document_id=document_id,
        version=number,
        space_id=space_id,
    )
    return Accepted(document_id, number, job_id, unchanged=False, to_send=(job_id,))


def _require_editor(connection: Connection, caller: Caller, existing: Document) -> None:
    if caller.is_admin:
        return
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
    }
    return {name: value for name, value in said.items() if value is not None}
