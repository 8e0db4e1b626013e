"""Server-sent events from a generator that works as it is read."""

from collections.abc import AsyncIterator, Generator

from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import iterate_in_threadpool

ServerEvent = dict[str, str]
"""`event` and `data`, or `data` alone."""


def event_stream(events: Generator[ServerEvent, None, None]) -> EventSourceResponse:
    """A response that runs `events` on the thread pool, and closes it when the client is gone."""
    return EventSourceResponse(_closing(events))


async def _closing(events: Generator[ServerEvent, None, None]) -> AsyncIterator[ServerEvent]:
    try:
        async for event in iterate_in_threadpool(events):
            yield event
    finally:
        # A cancelled request waits for the step that is running; only then is the generator suspended and closable.
        events.close()
