"""Promote: another generation becomes the live one, between two publications.

1. catch up without the lock, so that little is left to do
2. take the publish lock: from here nothing is published
3. undo what a crashed publication left in the live collection
4. catch up with what came since 1
5. verify that the collection holds as many rows as SQL says, and repair it if not
6. switch in one SQL transaction; versions that were staged for the old generation go back to be staged for the new one

A search reads once which generation is live and uses it to its end. Killed before 6, the old one stays live; killed
after it, the new one is. Going back is the same with the retired generation, which has followed ever since.
"""

from collections.abc import Callable
from enum import StrEnum

import structlog
from sqlalchemy import Connection

from ingestion.index.build import Builder, Progress
from ingestion.index.reconcile import reconcile_locked
from ingestion.publish import Publisher
from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.errors import ItemFailed
from kbcore.metadata import chunks as chunk_rows
from kbcore.metadata import evaluations, generations, index_rows, publications
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import FOLLOWING, Generation, GenerationState

log = structlog.get_logger(__name__)


class PromoteStep(StrEnum):
    """The points between which a promotion can be killed; tests enumerate them."""

    CAUGHT_UP = "caught_up"
    LOCKED = "locked"
    UNDONE = "undone"
    COMPLETED = "completed"
    VERIFIED = "verified"
    SWITCHED = "switched"


def _nothing(_step: PromoteStep) -> None:
    return None


def promote(
    platform: Platform,
    publisher: Publisher,
    generation: Generation,
    progress: Progress,
    *,
    reached: Callable[[PromoteStep], None] = _nothing,
) -> None:
    """Make `generation` the live one; does nothing if it is already. Raises `ItemFailed` (`not_promotable`)."""
    state = _state(platform, generation)
    if state is GenerationState.LIVE:
        return
    if state not in FOLLOWING:
        raise _not_promotable()
    builder = Builder(platform, generation, progress)
    builder.catch_up()
    platform.vectors.load(generation.collection)
    reached(PromoteStep.CAUGHT_UP)
    with platform.database.lock(PUBLISH_LOCK) as connection:
        assert connection is not None
        reached(PromoteStep.LOCKED)
        old = publisher.undo_unfinished(connection)
        reached(PromoteStep.UNDONE)
        builder.catch_up(connection)
        reached(PromoteStep.COMPLETED)
        _verify(platform, generation, connection)
        reached(PromoteStep.VERIFIED)
        _switch(platform, connection, old, generation)
        reached(PromoteStep.SWITCHED)
    log.info("switched the live index", before=old.collection, now=generation.collection)


def _state(platform: Platform, generation: Generation) -> GenerationState | None:
    with platform.database.begin() as connection:
        present = generations.get(connection, generation.id)
    return None if present is None else present.state


def _not_promotable() -> ItemFailed:
    return ItemFailed("not_promotable", "only an index that is ready, or was live before, can go live")


def _verify(platform: Platform, generation: Generation, connection: Connection) -> None:
    with connection.begin():
        expected = index_rows.count(connection, generation.id)
    if platform.vectors.count(generation.collection) != expected:
        reconcile_locked(platform, generation, connection)


def _switch(platform: Platform, connection: Connection, old: Generation, new: Generation) -> None:
    with connection.begin():
        present = generations.lock(connection, new.id)
        if present is None or present.state not in FOLLOWING:
            raise _not_promotable()
        judged = evaluations.latest_gate_of(connection, new.id)
        if present.gate is not None and present.live_at is None and not (judged and judged.passed):
            raise ItemFailed("not_promotable", "the index has not passed its gate")
        generations.switch_live(connection, old, new, publications.current_epoch(connection))
        for document_id, number in publications.unstage_others(connection, new.id):
            chunk_rows.unstage(connection, document_id, number)
        kind = "index.promoted" if present.live_at is None else "index.rolled_back"
        platform.audit.append(connection, AuditEvent(kind, detail={"index": new.id, "before": old.id}))
