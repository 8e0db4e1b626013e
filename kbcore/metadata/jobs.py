"""Jobs in SQL: the truth of all long work. A worker holds a job by a lease that it keeps renewing."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum, auto

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from kbcore.domain.ids import new_id
from kbcore.domain.job import Job, JobKind, JobState
from kbcore.errors import ItemError
from kbcore.metadata.tables import documents, jobs

_COLUMNS = [jobs.c[field.name] for field in fields(Job)]
_FINAL = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
_FOUND_IN_SQL = (JobKind.EVALUATE, JobKind.CALIBRATE)
"""Kinds that `claim_next` finds: they need the question path, so an API process does them, and no message is sent."""


class Order(Enum):
    """What a worker is told when it reports progress."""

    GO_ON = auto()
    CANCEL = auto()
    """Somebody asked for the job to be stopped."""
    LET_GO = auto()
    """The job has ended, or another worker has it: this one was silent for too long."""


def insert(
    connection: Connection,
    kind: JobKind,
    *,
    created_by: str,
    document_id: str | None = None,
    version: int | None = None,
    space_id: str | None = None,
    subject: str | None = None,
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
            subject=subject,
            created_by=created_by,
            sent_at=sa.func.now(),
        )
    )
    return job_id


def insert_once(
    connection: Connection, kind: JobKind, *, created_by: str, unless: Collection[JobState] = (JobState.QUEUED,)
) -> str | None:
    """Queue a job of this kind unless there is one in one of these states; its id, None if there is."""
    there = sa.exists().where(jobs.c.kind == kind, jobs.c.state.in_(unless))
    if connection.execute(sa.select(there)).scalar_one():
        return None
    return insert(connection, kind, created_by=created_by)


def delivered(kind: JobKind) -> bool:
    """True if jobs of this kind go to the queue; the others are found in SQL by who does them."""
    return kind not in _FOUND_IN_SQL


def waiting(connection: Connection, kind: JobKind, space_id: str) -> str | None:
    """The job of this kind for a space that nobody has begun, if there is one."""
    query = sa.select(jobs.c.id).where(
        jobs.c.kind == kind, jobs.c.space_id == space_id, jobs.c.state == JobState.QUEUED
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def get(connection: Connection, job_id: str) -> Job | None:
    """One job."""
    row = connection.execute(sa.select(*_COLUMNS).where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else _job(row)


def list_of(connection: Connection, *, limit: int) -> list[Job]:
    """The newest jobs of everybody. What somebody may see of them is in `visible_jobs`."""
    query = sa.select(*_COLUMNS).order_by(jobs.c.id.desc()).limit(limit)
    return [_job(row) for row in connection.execute(query)]


def ingest_job_of(connection: Connection, document_id: str, version: int) -> str | None:
    """The job that ingests, or ingested, a version."""
    query = sa.select(jobs.c.id).where(
        jobs.c.document_id == document_id, jobs.c.version == version, jobs.c.kind == JobKind.INGEST
    )
    return connection.execute(query.order_by(jobs.c.id.desc()).limit(1)).scalar_one_or_none()


def claim(connection: Connection, job_id: str, worker: str, lease_s: float) -> Job | None:
    """Take a job that is queued or whose holder went silent; None if somebody else has it or it has ended.

    None also for kinds that are not a worker's to do: `claim_next` gives those out.
    """
    return _take(connection, sa.and_(jobs.c.id == job_id, _free(), _delivered()), worker, lease_s)


def claim_next(connection: Connection, kind: JobKind, worker: str, lease_s: float) -> Job | None:
    """Take the oldest job of this kind that is queued or whose holder went silent; None if there is none."""
    oldest = sa.select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)))
    oldest = oldest.where(_free()).order_by(jobs.c.id).limit(1).with_for_update(skip_locked=True)
    return _take(connection, jobs.c.id == oldest.scalar_subquery(), worker, lease_s)


def renew(connection: Connection, worker: str, job_ids: Collection[str], lease_s: float) -> int:
    """Keep holding those of these jobs that are still this worker's; returns how many that were."""
    _relax(connection)
    # A row that is locked is being ended or counted this moment; waiting for it in any order could be a deadlock.
    mine = sa.select(jobs.c.id).where(jobs.c.id.in_(job_ids), _held_by(worker)).with_for_update(skip_locked=True)
    result = connection.execute(jobs.update().where(jobs.c.id.in_(mine)).values(lease_until=_in(lease_s)))
    return result.rowcount


def progress(connection: Connection, job_id: str, worker: str, stage: str, done: int, total: int) -> Order:
    """Record the stage and how far it is, and learn whether to go on."""
    _relax(connection)
    row = connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id, _held_by(worker))
        .values(
            stage_started_at=sa.case((jobs.c.stage == stage, jobs.c.stage_started_at), else_=sa.func.now()),
            attempts=sa.case((_gets_on(stage, done), 1), else_=jobs.c.attempts),
            stage=stage,
            done=done,
            total=total,
        )
        .returning(jobs.c.cancel_requested)
    ).one_or_none()
    if row is None:
        return Order.LET_GO
    return Order.CANCEL if row.cancel_requested else Order.GO_ON


def hold(connection: Connection, job_id: str, worker: str) -> bool:
    """Lock the job's row until the transaction ends; False if it is not this worker's any more."""
    query = sa.select(jobs.c.id).where(jobs.c.id == job_id, _held_by(worker)).with_for_update()
    return connection.execute(query).one_or_none() is not None


def finish(
    connection: Connection, job_ids: Sequence[str], state: JobState, *, stage: str, reason: ItemError | None = None
) -> None:
    """End jobs. `reason` says why an item was skipped or failed; if its document was erased, only the code is kept."""
    done = jobs.c.total if state is JobState.SUCCEEDED else jobs.c.done
    connection.execute(
        jobs.update()
        .where(jobs.c.id.in_(job_ids), jobs.c.state.not_in(_FINAL))
        .values(
            state=state,
            stage=stage,
            done=done,
            finished_at=sa.func.now(),
            lease_until=None,
            error_code=reason.code if reason else None,
            error=sa.case((_erased(), ""), else_=reason.detail) if reason else None,
            error_page=sa.case((sa.not_(_erased()), sa.literal(reason.page, sa.Integer))) if reason else None,
        )
    )


def release(connection: Connection, job_id: str, worker: str) -> None:
    """Put this worker's job back in line because a dependency does not answer; this try does not count."""
    connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id, _held_by(worker))
        .values(state=JobState.QUEUED, lease_until=None, worker=None, attempts=jobs.c.attempts - 1)
    )


def release_all(connection: Connection, worker: str) -> int:
    """Put everything that a worker holds back in line: it is going down. Returns how many jobs there were."""
    result = connection.execute(
        jobs.update()
        .where(_held_by(worker))
        .values(state=JobState.QUEUED, lease_until=None, worker=None, attempts=jobs.c.attempts - 1)
    )
    return result.rowcount


def busy(connection: Connection) -> bool:
    """True if any job of the workers is queued or running."""
    return connection.execute(
        sa.select(sa.exists().where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)), _delivered()))
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
    """Put jobs whose holder went silent back in line, to be sent again; returns their ids."""
    silent = (
        sa.select(jobs.c.id)
        .where(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < sa.func.now(), _delivered())
        .with_for_update(skip_locked=True)
    )
    return list(
        connection.execute(
            jobs.update()
            .where(jobs.c.id.in_(silent))
            .values(state=JobState.QUEUED, worker=None, lease_until=None, sent_at=sa.func.now())
            .returning(jobs.c.id)
        ).scalars()
    )


def unsent(connection: Connection, *, older_than_s: float, limit: int) -> list[str]:
    """Queued jobs last sent at least so long ago, oldest first; marks them as sent now."""
    return _send_again(connection, jobs.c.sent_at < _in(-older_than_s), limit)


def overtaken(connection: Connection, *, by_s: float, limit: int) -> list[str]:
    """Queued jobs that were sent so long before one that has arrived, oldest first; marks them as sent now.

    The broker delivers in order: they are lost, though others still wait there.
    """
    arrived = sa.select(sa.func.max(jobs.c.sent_at)).where(jobs.c.state == JobState.RUNNING, _delivered())
    return _send_again(connection, jobs.c.sent_at < arrived.scalar_subquery() - _seconds(by_s), limit)


def _send_again(connection: Connection, lost: sa.ColumnElement[bool], limit: int) -> list[str]:
    waiting = sa.select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, lost, _delivered())
    waiting = waiting.order_by(jobs.c.id).limit(limit)
    rows = connection.execute(
        jobs.update().where(jobs.c.id.in_(waiting)).values(sent_at=sa.func.now()).returning(jobs.c.id)
    )
    return sorted(rows.scalars())


def _take(connection: Connection, which: sa.ColumnElement[bool], worker: str, lease_s: float) -> Job | None:
    row = connection.execute(
        jobs.update()
        .where(which)
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


def _free() -> sa.ColumnElement[bool]:
    silent = sa.and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < sa.func.now())
    return sa.or_(jobs.c.state == JobState.QUEUED, silent)


def _delivered() -> sa.ColumnElement[bool]:
    return jobs.c.kind.not_in(_FOUND_IN_SQL)


def _erased() -> sa.ColumnElement[bool]:
    """The job's document is erased: what it failed on may quote that. The erasure itself quotes nothing."""
    erased = sa.exists().where(documents.c.id == jobs.c.document_id, documents.c.erased_at.is_not(None))
    return sa.and_(jobs.c.kind != JobKind.ERASE, erased)


def _gets_on(stage: str, done: int) -> sa.ColumnElement[bool]:
    """Whether work that is kept bit by bit is further than it ever was: then earlier deaths were not its fault."""
    return sa.and_(jobs.c.kind.in_((JobKind.REINDEX, JobKind.FOLLOW)), jobs.c.stage == stage, jobs.c.done < done)


def _held_by(worker: str) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING)


def _in(seconds: float) -> sa.ColumnElement[datetime]:
    return sa.func.now() + _seconds(seconds)


def _seconds(seconds: float) -> sa.ColumnElement[timedelta]:
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _relax(connection: Connection) -> None:
    # Losing the last second of progress or of a lease in a crash costs nothing, so these commits need no disk flush.
    connection.execute(sa.text("SET LOCAL synchronous_commit = off"))


def _job(row: Row[tuple[object, ...]]) -> Job:
    return Job(**{**row._mapping, "kind": JobKind(row.kind), "state": JobState(row.state)})
