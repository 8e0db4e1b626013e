"""Who sees a job, and stopping or repeating it."""

from sqlalchemy import Connection

from kbcore.domain.job import Job, JobKind
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, Forbidden, NotFound
from kbcore.metadata import jobs, versions
from kbcore.metadata.visible_jobs import get_visible
from services.library.access import editable_document


def visible_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """One job that the caller may see. Raises `NotFound("job")`."""
    job = get_visible(connection, caller, job_id)
    if job is None:
        raise NotFound("job")
    return job


def controllable_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """One job that the caller may stop and repeat: whose document, if it has one, it may change now.

    An administrator may without that. The document is locked until the transaction ends. Raises `NotFound("job")`.
    """
    job = visible_job(connection, caller, job_id)
    if job.document_id is not None and not caller.is_admin:
        try:
            editable_document(connection, caller, job.document_id)
        except (NotFound, Forbidden):
            raise NotFound("job") from None
    return job


def cancel_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """Ask for a job to be stopped at its next step. Raises `NotFound("job")`, `Conflict` (`job_ended`)."""
    controllable_job(connection, caller, job_id)
    if not jobs.request_cancel(connection, job_id):
        raise Conflict("The job has ended already.", code="job_ended")
    return visible_job(connection, caller, job_id)


def retry_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """Start a failed or cancelled job over; send it after the commit.

    Raises `NotFound("job")`, `Conflict` (`job_not_repeatable`).
    """
    job = controllable_job(connection, caller, job_id)
    if not jobs.requeue(connection, job_id):
        raise Conflict("Only a failed or cancelled job can be repeated.", code="job_not_repeatable")
    if job.kind is JobKind.INGEST and job.document_id is not None and job.version is not None:
        # Put in line before it is looked at: a purge may claim it this moment, and whoever comes second sees the first.
        versions.mark_pending(connection, job.document_id, job.version)
        version = versions.get(connection, job.document_id, job.version)
        if version is not None and version.purged_at is not None:
            raise Conflict("What this job would read is gone for good.", code="job_not_repeatable")
    return visible_job(connection, caller, job_id)
