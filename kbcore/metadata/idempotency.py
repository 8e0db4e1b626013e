"""Remembered answers: a write that carries an `Idempotency-Key` is done once and answered alike ever after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.errors import Conflict, NotFound, Unprocessable
from kbcore.metadata.tables import idempotency

_ERASED = 404  # errors are never remembered: what such an answer told of was erased since

KEPT_HOURS = 24
"""How long an answer is remembered, in hours."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was answered: an HTTP status and a JSON body."""

    status: int
    body: Mapping[str, Any] | None


def begin(connection: Connection, user_id: str, key: str, request_hash: bytes) -> Answer | None:
    """Claim the key until the transaction ends; returns the answer if the request was carried out before.

    Raises `Conflict` (`idempotency_in_progress`) while another request holds it, and `Unprocessable`
    (`idempotency_key_reused`) if the key belongs to another request, `NotFound("document")` if its document was erased.
    """
    lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(f"{user_id}\n{key}", 0))
    if not connection.execute(sa.select(lock)).scalar_one():
        raise Conflict(
            "A request with this Idempotency-Key is being carried out; try again in a moment.",
            code="idempotency_in_progress",
        )
    connection.execute(
        sa.delete(idempotency).where(
            idempotency.c.user_id == user_id,
            idempotency.c.created_at < sa.func.now() - sa.func.make_interval(0, 0, 0, 0, KEPT_HOURS),
        )
    )
    row = connection.execute(
        sa.select(idempotency).where(idempotency.c.user_id == user_id, idempotency.c.key == key)
    ).one_or_none()
    if row is None:
        return None
    if bytes(row.request_hash) != request_hash:
        raise Unprocessable(
            "This Idempotency-Key was used for another request; use a new one.", code="idempotency_key_reused"
        )
    if row.status == _ERASED:
        raise NotFound("document")
    return Answer(row.status, row.body)


def remember(connection: Connection, user_id: str, key: str, request_hash: bytes, answer: Answer) -> None:
    """Keep the answer, in the same transaction as the work: either both are there or neither."""
    connection.execute(
        sa.insert(idempotency).values(
            user_id=user_id, key=key, request_hash=request_hash, status=answer.status, body=answer.body
        )
    )
