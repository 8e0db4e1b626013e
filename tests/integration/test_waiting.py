"""Waiting for a job's end."""

import asyncio

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.job import JobKind, JobState
from kbcore.errors import NotFound
from kbcore.metadata import jobs
from services.api.waiting import await_job


def queued(platform: Platform) -> str:
    with platform.database.begin() as connection:
        return jobs.insert(connection, JobKind.RECONCILE, created_by="t")


def finish(platform: Platform, job_id: str) -> None:
    with platform.database.begin() as connection:
        jobs.finish(connection, [job_id], JobState.SUCCEEDED, stage="done")


def test_a_job_that_ends_meanwhile_is_answered_as_ended(platform: Platform) -> None:
    job_id = queued(platform)

    async def wait_and_end() -> JobState:
        waiting = asyncio.ensure_future(await_job(platform, job_id, 60))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        finish(platform, job_id)
        return (await waiting).state

    assert asyncio.run(wait_and_end()) is JobState.SUCCEEDED


def test_a_job_that_does_not_end_is_answered_as_it_is(platform: Platform) -> None:
    assert asyncio.run(await_job(platform, queued(platform), 0)).state is JobState.QUEUED


def test_an_unknown_job_is_not_waited_for(platform: Platform) -> None:
    with pytest.raises(NotFound):
        asyncio.run(await_job(platform, "none", 60))
