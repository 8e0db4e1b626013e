"""Who sees a job, and stopping or repeating it."""

from sqlalchemy import Connection

from kbcore.domain.job import Job, JobKind, JobState
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, NotFound
from kbcore.metadata import jobs, versions
from kbcore.metadata.spaces import editable_space_ids, find_space
from kbcore.permissions.policy import Role


def list_jobs(
    connection: Connection, caller: Caller, *, state: JobState | None, after: str | None, limit: int
) -> list[Job]:
    """The caller's own jobs and those of spaces that it may change; an administrator's list is everything."""
    if caller.is_admin:
        return jobs.list_of(connection, state=state, after=after, limit=limit)
    space_ids = editable_space_ids(connection, caller)
    return jobs.list_of(
        connection, state=state, created_by=caller.user_id, space_ids=space_ids, after=after, limit=limit
    )


def visible_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """One job that the caller may see. Raises `NotFound("job")`."""
    job = jobs.get(connection, job_id)
    if job is None or not _sees(connection, caller, job):
        raise NotFound("job")
    return job


def cancel_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """Ask for a job to be stopped at its next step. Raises `NotFound("job")`, `Conflict` (`job_ended`)."""
    visible_job(connection, caller, job_id)
    if not jobs.request_cancel(connection, job_id):
        raise Conflict("The job has ended already.", code="job_ended")
    return visible_job(connection, caller, job_id)


def retry_job(connection: Connection, caller: Caller, job_id: str) -> Job:
    """Start a failed or cancelled job over; send it after the commit.

    Raises `NotFound("job")`, `Conflict` (`job_not_repeatable`).
    """
    job = visible_job(connection, caller, job_id)
    if not jobs.requeue(connection, job_id):
        raise Conflict("Only a failed or cancelled job can be repeated.", code="job_not_repeatable")
    if job.kind is JobKind.INGEST and job.document_id is not None and job.version is not None:
        version = versions.get(connection, job.document_id, job.version)
        if version is not None and version.purged_at is not None:
            raise Conflict("What this job would read is gone for good.", code="job_not_repeatable")
        versions.mark_pending(connection, job.document_id, job.version)
    return visible_job(connection, caller, job_id)


def _sees(connection: Connection, caller: Caller, job: Job) -> bool:
    if caller.is_admin or job.created_by == caller.user_id:
        return True
    space = None if job.space_id is None else find_space(connection, caller, job.space_id)
    return space is not None and space.role is not None and space.role.includes(Role.EDITOR)
