"""Waiting for a job: `Prefer: wait=N` (RFC 7240). No thread is held meanwhile."""

import asyncio
import re
import time
from typing import Annotated

from fastapi import Depends, Header
from fastapi.concurrency import run_in_threadpool

from kbcore.bootstrap import Platform
from kbcore.domain.job import Job
from kbcore.errors import NotFound
from kbcore.metadata import jobs

DEFAULT_S = 30.0
"""How long a request waits that does not say."""

LONGEST_S = 60.0
"""The longest wait, whatever is asked for: proxies cut longer silences."""

_POLL_S = 0.1
_WAIT = re.compile(r"wait=\"?(?P<seconds>[0-9]{1,9})\"?", re.ASCII | re.IGNORECASE)


async def await_job(platform: Platform, job_id: str, seconds: float) -> Job:
    """The job as soon as it has ended, or as it is after so many seconds. Raises `NotFound("job")`."""
    deadline = time.monotonic() + seconds
    while True:
        job = await run_in_threadpool(_read, platform, job_id)
        left = deadline - time.monotonic()
        if job.ended or left <= 0:
            return job
        await asyncio.sleep(min(_POLL_S, left))


def preferred_wait(prefer: list[str]) -> float:
    """Seconds out of the values of `Prefer`; what is not understood there is ignored, as RFC 7240 wants it."""
    for preference in ",".join(prefer).split(","):
        match = _WAIT.fullmatch(preference.partition(";")[0].replace(" ", "").strip())
        if match is not None:
            return min(float(match["seconds"]), LONGEST_S)
    return DEFAULT_S


def _wait(
    prefer: Annotated[
        list[str] | None,
        Header(
            max_length=20, description="`wait=N`: wait at most so many seconds for the end (default 30, at most 60)."
        ),
    ] = None,
) -> float:
    return preferred_wait(prefer or [])


WaitDep = Annotated[float, Depends(_wait)]
"""How many seconds the caller wants to wait for a job."""


def _read(platform: Platform, job_id: str) -> Job:
    with platform.database.begin() as connection:
        job = jobs.get(connection, job_id)
    if job is None:
        raise NotFound("job")
    return job
