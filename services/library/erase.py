"""Erasing a document for good: it ends at once for everybody, a job removes it, and a certificate says so."""

from sqlalchemy import Connection

from kbcore.domain.job import JobKind
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound
from kbcore.metadata import documents, erasures, jobs, scrub
from kbcore.metadata.erasures import Erasure


def order_erasure(connection: Connection, caller: Caller, document_id: str, reason: str | None) -> Erasure:
    """End a document, deleted or not, and queue its erasure; the one that there is already, if there is one.

    An administrator may do so without being able to read it. Send the job after the commit. Raises
    `NotFound("document")`.
    """
    space_id = documents.lock_whatever(connection, document_id)
    if space_id is None:
        raise NotFound("document")
    existing = erasures.of_document(connection, document_id)
    if existing is not None:
        if existing.job_id is not None and existing.certificate is None:
            jobs.requeue(connection, existing.job_id)
        return existing
    erasure_id = erasures.insert(
        connection, document_id=document_id, space_id=space_id, reason=reason, requested_by=caller.user_id
    )
    scrub.end_document(connection, document_id, caller.user_id)
    job_id = jobs.insert(
        connection, JobKind.ERASE, created_by=caller.user_id, document_id=document_id, subject=erasure_id
    )
    erasures.set_job(connection, erasure_id, job_id)
    return known_erasure(connection, erasure_id)


def known_erasure(connection: Connection, erasure_id: str) -> Erasure:
    """One erasure. Raises `NotFound("erasure")`."""
    erasure = erasures.get(connection, erasure_id)
    if erasure is None:
        raise NotFound("erasure")
    return erasure
