"""Jobs in SQL: the truth of all long work. A worker holds a job by a lease that it keeps renewing."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.ids import new_id
from kbcore.domain.job import Job, JobKind, JobState
from kbcore.errors import ItemError
from kbcore.metadata.tables import jobs

_COLUMNS = [jobs.c[field.name] for field in fields(Job)]
_FINAL = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


def insert(
    connection: Connection,
    kind: JobKind,
    *,
    created_by: str,
    document_id: str | None = None,
    version: int | None = None,
    space_id: str | None = None,
) -> str:
    """Queue a job and return its id. Send it to the queue after the transaction has committed."""
    job_id = new_id()
    connection.execute(
        jobs.insert().values(
            id=job_id,
            kind=kind,
            state=JobState.QUEUED,
            document_id=document_id,
            version=version,
            space_id=space_id,
            created_by=created_by,
            sent_at=sa.func.now(),
        )
    )
    return job_id


def get(connection: Connection, job_id: str) -> Job | None:
    """One job."""
    row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def list_of(
    connection: Connection,
    *,
    state: JobState | None = None,
    created_by: str | None = None,
    space_ids: Sequence[str] | None = None,
    after: str | None = None,
    limit: int,
) -> list[Job]:
    """Jobs, newest first. `created_by` and `space_ids` select by either (their union); both None = all."""
    query = sa.select(*_COLUMNS).order_by(jobs.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if created_by is not None or space_ids is not None:
        query = query.where(sa.or_(jobs.c.created_by == created_by, jobs.c.space_id.in_(space_ids or [])))
    if after is not None:
        query = query.where(jobs.c.id < after)
    return [_job(row) for row in connection.execute(query)]


def ingest_job_of(connection: Connection, document_id: str, version: int) -> str | None:
    """The job that ingests, or ingested, a version."""
    query = sa.select(jobs.c.id).where(
        jobs.c.document_id == document_id, jobs.c.version == version, jobs.c.kind == JobKind.INGEST
    )
    return connection.execute(query.order_by(jobs.c.id.desc()).limit(1)).scalar_one_or_none()


def claim(connection: Connection, job_id: str, worker: str, lease_s: float) -> Job | None:
    """Take a job that is queued or whose holder went silent; None if somebody else has it or it has ended."""
    row = connection.execute(
        jobs.update()
        .where(
            jobs.c.id == job_id,
            sa.or_(
                jobs.c.state == JobState.QUEUED,
                sa.and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < sa.func.now()),
            ),
        )
        .values(
            state=JobState.RUNNING,
            worker=worker,
            lease_until=_in(lease_s),
            attempts=jobs.c.attempts + 1,
            started_at=sa.func.coalesce(jobs.c.started_at, sa.func.now()),
        )
        .returning(*_COLUMNS)
    ).one_or_none()
    return None if row is None else _job(row)


def renew_all(connection: Connection, worker: str, lease_s: float) -> int:
    """Keep holding every job of this worker; returns how many those are."""
    _relax(connection)
    result = connection.execute(
        jobs.update().where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING).values(lease_until=_in(lease_s))
    )
    return result.rowcount


def progress(connection: Connection, job_id: str, stage: str, done: int, total: int) -> bool:
    """Record the stage and how far it is. Returns whether the job shall go on (False = cancellation was requested)."""
    _relax(connection)
    row = connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id)
        .values(
            stage_started_at=sa.case((jobs.c.stage == stage, jobs.c.stage_started_at), else_=sa.func.now()),
            stage=stage,
            done=done,
            total=total,
        )
        .returning(jobs.c.cancel_requested)
    ).one()
    return not row.cancel_requested


def finish(
    connection: Connection, job_ids: Sequence[str], state: JobState, *, stage: str, reason: ItemError | None = None
) -> None:
    """End jobs. `reason` says why an item was skipped or failed."""
    connection.execute(
        jobs.update()
        .where(jobs.c.id.in_(job_ids), jobs.c.state.not_in(_FINAL))
        .values(
            state=state,
            stage=stage,
            finished_at=sa.func.now(),
            lease_until=None,
            error_code=reason.code if reason else None,
            error=reason.detail if reason else None,
            error_page=reason.page if reason else None,
        )
    )


def release(connection: Connection, job_id: str) -> None:
    """Put a job back in line because a dependency does not answer; this try does not count."""
    connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
        .values(state=JobState.QUEUED, lease_until=None, worker=None, attempts=jobs.c.attempts - 1)
    )


def release_all(connection: Connection, worker: str) -> int:
    """Put everything that a worker holds back in line: it is going down. Returns how many jobs there were."""
    result = connection.execute(
        jobs.update()
        .where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING)
        .values(state=JobState.QUEUED, lease_until=None, worker=None, attempts=jobs.c.attempts - 1)
    )
    return result.rowcount


def busy(connection: Connection) -> bool:
    """True if any job is queued or running."""
    return connection.execute(
        sa.select(sa.exists().where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING))))
    ).scalar_one()


def requeue(connection: Connection, job_id: str) -> bool:
    """Start an ended job over (a retry); False if it has not ended."""
    result = connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id, jobs.c.state.in_((JobState.FAILED, JobState.CANCELLED)))
        .values(
            state=JobState.QUEUED,
            stage="queued",
            done=0,
            total=0,
            attempts=0,
            cancel_requested=False,
            started_at=None,
            stage_started_at=None,
            finished_at=None,
            error_code=None,
            error=None,
            error_page=None,
            sent_at=sa.func.now(),
        )
    )
    return result.rowcount == 1


def request_cancel(connection: Connection, job_id: str) -> bool:
    """Ask a job to stop; its worker does so at the next step. False if it has ended."""
    result = connection.execute(
        jobs.update().where(jobs.c.id == job_id, jobs.c.state.not_in(_FINAL)).values(cancel_requested=True)
    )
    return result.rowcount == 1


def expire(connection: Connection) -> list[str]:
    """Put jobs whose holder went silent back in line; returns their ids."""
    return list(
        connection.execute(
            jobs.update()
            .where(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < sa.func.now())
            .values(state=JobState.QUEUED, worker=None, lease_until=None)
            .returning(jobs.c.id)
        ).scalars()
    )


def unsent(connection: Connection, *, older_than_s: float, limit: int) -> list[str]:
    """Queued jobs last sent at least so long ago, oldest first; marks them as sent now."""
    waiting = (
        sa.select(jobs.c.id)
        .where(jobs.c.state == JobState.QUEUED, jobs.c.sent_at < _in(-older_than_s))
        .order_by(jobs.c.id)
        .limit(limit)
    )
    rows = connection.execute(
        jobs.update().where(jobs.c.id.in_(waiting)).values(sent_at=sa.func.now()).returning(jobs.c.id)
    )
    return sorted(rows.scalars())


def _in(seconds: float) -> sa.ColumnElement[datetime]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _relax(connection: Connection) -> None:
    # Losing the last second of progress or of a lease in a crash costs nothing, so these commits need no disk flush.
    connection.execute(sa.text("SET LOCAL synchronous_commit = off"))


def _job(row: Row[tuple[object, ...]]) -> Job:
    return Job(**{**row._mapping, "kind": JobKind(row.kind), "state": JobState(row.state)})
