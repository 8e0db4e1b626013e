"""Making versions: each is a row that waits and a job that takes it to readers."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.domain.document import Document, Origin, Replaces, Version
from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.metadata import jobs, versions
from kbcore.metadata.versions import NewVersion


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an upload or a correction. `unchanged`: the latest version is this already; its job is named.

    `to_send` are the jobs to send after the commit.
    """

    document_id: str
    version: int
    job_id: str | None
    unchanged: bool
    to_send: tuple[str, ...]


def queue_version(connection: Connection, caller: Caller, space_id: str, new: NewVersion) -> Accepted:
    """Insert a version and its job."""
    number = versions.insert(connection, new)
    job_id = jobs.insert(
        connection,
        JobKind.INGEST,
        created_by=caller.user_id,
        document_id=new.document_id,
        version=number,
        space_id=space_id,
    )
    return Accepted(new.document_id, number, job_id, unchanged=False, to_send=(job_id,))


def derive(
    connection: Connection,
    caller: Caller,
    document: Document,
    source: Version,
    origin: Origin,
    *,
    replaces: Replaces = Replaces.BASE,
    said: Mapping[str, object] | None = None,
    comment: str | None = None,
) -> Accepted:
    """The next version of a locked document, with the bytes of one of its versions and not yet any text.

    Title, tags, metadata and effective dates are those of `source` (the document's may be of a version that failed),
    besides what is `said` now.
    """
    own = {**columns_of(source), **(said or {})}
    accepted = queue_version(
        connection,
        caller,
        document.space_id,
        NewVersion(
            document_id=document.id,
            sha256=source.sha256,
            size=source.size,
            file_name=source.file_name,
            media_type=source.media_type,
            title=source.title,
            created_by=caller.user_id,
            comment=comment,
            origin=origin,
            source_uri=source.source_uri,
            based_on=source.number,
            replaces=replaces,
        ),
    )
    versions.restate(connection, document.id, accepted.version, **own)
    return accepted


def columns_of(version: Version) -> dict[str, object]:
    """What is said about a version, as the columns take it."""
    return {
        "title": version.title,
        "tags": list(version.tags),
        "metadata": dict(version.metadata),
        "effective_from": version.effective_from,
        "effective_to": version.effective_to,
    }


def unchanged(connection: Connection, document_id: str, number: int) -> Accepted:
    """The answer when this version is already what was asked for."""
    job_id = jobs.ingest_job_of(connection, document_id, number)
    return Accepted(document_id, number, job_id, unchanged=True, to_send=())
