"""One write = one transaction, done once for each `Idempotency-Key`; jobs are sent after it has committed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import Unavailable
from kbcore.metadata import idempotency
from kbcore.metadata.idempotency import Answer
from services.api.audited import SeenRequest
from services.api.dependencies import CallerDep, PlatformDep

_log = structlog.get_logger(__name__)

Check = Callable[[Connection, Answer], object]
"""Looks whether a remembered answer may be given again."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Carry out this write once: a repeat within 24 hours gets the first answer again.",
    ),
]


@dataclass(frozen=True, slots=True)
class Done:
    """What a write answers. `jobs` are sent after the commit; a replay does not show the fields in `secret`.

    `events` are appended to the audit log after the `request.done` of the write itself.
    """

    body: BaseModel | None = None
    status: int = 200
    jobs: tuple[str, ...] = ()
    secret: frozenset[str] = field(default_factory=frozenset)
    events: tuple[AuditEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """A write request: who, and which request it is if it may be repeated. `seen` is how the audit log knows it."""

    platform: Platform
    caller: Caller
    key: str | None
    request_hash: bytes
    seen: SeenRequest

    def perform(self, work: Callable[[Connection], Done], *, before_replay: Check | None) -> Response:
        """Run `work` in one transaction and answer; a repeated request is answered from memory.

        `before_replay` raises if the caller no longer has the rights that the answer needs; None says that the route's
        own dependencies have asked for all of them.
        """
        with self.platform.database.begin() as connection:
            if self.key is not None:
                earlier = idempotency.begin(connection, self.caller.user_id, self.key, self.request_hash)
                if earlier is not None:
                    if before_replay is not None:
                        before_replay(connection, earlier)
                    self.platform.audit.append(
                        connection, self.seen.event(self.caller, "request.replayed", earlier.status)
                    )
                    self.seen.recorded()
                    return _answer(earlier.status, earlier.body, replayed=True)
            done = work(connection)
            body = None if done.body is None else done.body.model_dump(mode="json")
            if self.key is not None:
                kept = None if body is None else {**body, **dict.fromkeys(done.secret)}
                answer = Answer(done.status, kept)
                idempotency.remember(connection, self.caller.user_id, self.key, self.request_hash, answer)
            # The last act: until the transaction ends, others wait for the head of the log.
            event = self.seen.event(self.caller, "request.done", done.status, body)
            self.platform.audit.append(connection, event, *done.events)
        self.seen.recorded()
        for job_id in done.jobs:
            send_job(self.platform, job_id)
        return _answer(done.status, body)


def send_job(platform: Platform, job_id: str) -> None:
    """Hand a committed job to the queue; if that is down, the worker's sweeper finds the job in SQL."""
    try:
        platform.queue.send(job_id)
    except Unavailable as error:
        _log.warning("the queue does not answer; the sweeper will send the job", job_id=job_id, detail=error.detail)


def identified(request: Request, platform: Platform, caller: Caller, key: str | None, body: bytes) -> Write:
    """The caller's write, identified by its method, address and body."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(body)
    return Write(platform, caller, key, digest.digest(), SeenRequest(request))


async def _write(request: Request, platform: PlatformDep, caller: CallerDep, key: IdempotencyKey = None) -> Write:
    return identified(request, platform, caller, key, b"" if key is None else await request.body())


WriteDep = Annotated[Write, Depends(_write)]
"""Routes that read their bodies themselves make their own `Write`."""


def _answer(status: int, body: object, *, replayed: bool = False) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else {}
    if body is None:
        return Response(status_code=status, headers=headers)
    return JSONResponse(body, status, headers)
