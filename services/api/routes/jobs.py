"""`/v1/jobs`: every piece of long work, its progress as it happens, stopping and repeating it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import Connection
from sse_starlette import EventSourceResponse, ServerSentEvent

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.job import Job, JobState
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound, ZhikuError
from kbcore.metadata import jobs
from kbcore.metadata.api_keys import present_caller
from kbcore.metadata.visible_jobs import list_visible
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.paging import PageDep
from services.api.rights import require, right_of
from services.api.schemas.jobs import JobShown
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.job_control import cancel_job, controllable_job, retry_job, visible_job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_POLL_S = 0.25
_FINAL = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@router.get("", summary="List jobs", responses=problems(400))
def list_all(
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
) -> Page[JobShown]:
    """Newest first: those of documents that you may read, your own and those of what you may change; of purges.

    Administrators see all, but no error's words about a document that they may not read.
    """
    with platform.database.begin() as connection:
        rows = list_visible(connection, caller, state=state, after=page.after, limit=page.fetch)
    seen.shows(_quoted(rows[: page.limit]))
    return page.page(rows, lambda job: job.id, JobShown.of)


@router.get("/{job_id}", summary="Read a job", responses=problems(404))
def read_job(job_id: str, platform: PlatformDep, caller: CallerDep, seen: SeenDep) -> JobShown:
    """Stage, progress, rate, time left, and the reason if it failed."""
    with platform.database.begin() as connection:
        job = visible_job(connection, caller, job_id)
    seen.shows(_quoted([job]))
    return JobShown.of(job)


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **problems(404)},
)
def follow_job(job_id: str, platform: PlatformDep, caller: CallerDep) -> EventSourceResponse:
    """Server-sent events whose data is the job: `progress` after every change, `done` when it has ended.

    `error` (a code and a detail) ends the stream early: the job may not be seen any more, or SQL does not answer.
    """
    first = _read(platform, caller, job_id)
    return EventSourceResponse(_events(platform, caller, first))


@router.post("/{job_id}/cancel", summary="Stop a job", response_model=JobShown, responses=problems(404, 409))
def cancel(job_id: str, write: WriteDep, caller: CallerDep) -> Response:
    """Takes effect at its next step; what is published stays."""
    return write.perform(
        lambda connection: Done(JobShown.of(cancel_job(connection, caller, job_id))),
        before_replay=lambda connection, _: controllable_job(connection, caller, job_id),
    )


@router.post("/{job_id}/retry", summary="Repeat a job", response_model=JobShown, responses=problems(404, 409))
def retry(job_id: str, write: WriteDep, caller: CallerDep) -> Response:
    """Starts a failed or cancelled job over."""

    def work(connection: Connection) -> Done:
        job = retry_job(connection, caller, job_id)
        return Done(JobShown.of(job), status=202, jobs=(job_id,) if jobs.delivered(job.kind) else ())

    return write.perform(work, before_replay=lambda connection, _: controllable_job(connection, caller, job_id))


async def _events(platform: Platform, caller: Caller, shown: JobShown) -> AsyncIterator[ServerSentEvent]:
    previous: JobShown | None = None
    try:
        while True:
            if shown != previous:
                event = "done" if shown.state in _FINAL else "progress"
                if shown.error is not None and shown.document_id is not None:
                    read = AuditEvent.by(caller, "document.read", documents=(shown.document_id,), what="failure")
                    await run_in_threadpool(platform.audit.record, [read])
                yield ServerSentEvent(shown.model_dump_json(), event=event)
            if shown.state in _FINAL:
                return
            previous = shown
            await asyncio.sleep(_POLL_S)
            shown = await run_in_threadpool(_read_again, platform, caller, shown.id)
    except ZhikuError as error:
        # The headers are gone; this is the only way left to say it.
        yield ServerSentEvent(json.dumps({"code": error.code, "detail": error.detail}), event="error")


def _quoted(shown: Iterable[Job]) -> list[str]:
    """The documents of which the words of an error may tell something."""
    return [job.document_id for job in shown if job.error is not None and job.document_id is not None]


def _read(platform: Platform, caller: Caller, job_id: str) -> JobShown:
    with platform.database.begin() as connection:
        return JobShown.of(visible_job(connection, caller, job_id))


def _read_again(platform: Platform, caller: Caller, job_id: str) -> JobShown:
    """As the caller is now: it may have lost its rights, or its key, since the stream began."""
    with platform.database.begin() as connection:
        present = present_caller(connection, caller)
        if present is None:
            raise NotFound("job")
        require(right_of("GET", "/v1/jobs/{job_id}/events"), present)
        return JobShown.of(visible_job(connection, present, job_id))
