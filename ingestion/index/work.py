"""The jobs that are about whole index generations: build, follow, promote, drop, reconcile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from ingestion.index.build import Builder, Progress
from ingestion.index.promote import promote
from ingestion.index.reconcile import reconcile
from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.job import Job, JobKind
from kbcore.errors import ItemFailed, Unavailable
from kbcore.metadata import evaluations, generations, publications
from kbcore.metadata.generations import KEPT, Generation, GenerationState

log = structlog.get_logger(__name__)

_LOCK = 0x5A484958 << 32  # "ZHIX", and the generation's number below
_LAST_SEARCHES_S = 20.0
"""A collection is removed no sooner than this after its generation was retired: searches that began before end."""


class IndexWork:
    """What a worker does for such a job; safe to run twice, and by two workers."""

    def __init__(self, platform: Platform, publisher: Publisher) -> None:
        self._platform = platform
        self._publisher = publisher

    def run(self, job: Job, progress: Progress) -> None:
        """Do a job of one of these kinds. Raises `ItemFailed`, `Unavailable`, and what `progress` raises."""
        match job.kind:
            case JobKind.REINDEX:
                self._build(self._subject(job), progress)
            case JobKind.FOLLOW:
                self._follow(progress)
            case JobKind.PROMOTE:
                with self._alone(self._subject(job)) as generation:
                    promote(self._platform, self._publisher, generation, progress)
            case JobKind.DROP:
                self._drop(self._subject(job), progress)
            case JobKind.RECONCILE:
                self._reconcile(job)
            case _:
                raise ItemFailed("internal_error", f"no worker does jobs of the kind {job.kind}")

    def ended(self, job: Job, *, skipped: bool) -> None:
        """A build that was cancelled or has failed leaves nothing behind but its row."""
        if job.kind is not JobKind.REINDEX:
            return
        generation = self._subject(job)
        state = GenerationState.CANCELLED if skipped else GenerationState.FAILED
        with self._platform.database.begin() as connection:
            moved = generations.move(connection, generation.id, (GenerationState.BUILDING,), state)
        if moved:
            self._remove(generation)

    def _build(self, generation: Generation, progress: Progress) -> None:
        with self._platform.database.begin() as connection:
            again = (GenerationState.CANCELLED, GenerationState.FAILED)
            through = publications.current_epoch(connection)
            generations.move(
                connection, generation.id, again, GenerationState.BUILDING, cursor=0, built_through=through
            )
        with self._alone(generation) as present:
            if present.state is not GenerationState.BUILDING:
                return
            if present.cursor == 0:  # nothing is built yet, so what stands there is of another life
                self._platform.vectors.drop(present.collection)
            self._platform.vectors.create(present.collection, present.dimension)
            builder = Builder(self._platform, present, progress)
            builder.first_pass()
            builder.catch_up()
            self._platform.vectors.flush(present.collection)
            self._platform.vectors.load(present.collection)
            with self._platform.database.begin() as connection:
                generations.move(
                    connection, present.id, (GenerationState.BUILDING,), GenerationState.READY, ready_at=_now()
                )
                _start_gate(connection, present)

    def _follow(self, progress: Progress) -> None:
        with self._platform.database.begin() as connection:
            following = generations.following(connection)
        unavailable: Unavailable | None = None
        for generation in following:
            try:
                with self._alone(generation) as present:
                    if present.state in generations.FOLLOWING:
                        Builder(self._platform, present, progress).catch_up()
            except Unavailable as error:  # its model is not configured any more, say: the others follow all the same
                log.warning("an index can't follow now", index=generation.id, detail=error.detail)
                unavailable = error
        if unavailable is not None:
            raise unavailable

    def _drop(self, generation: Generation, progress: Progress) -> None:
        """The row says `dropped` already, so no search begins there; those that had begun get the time to end."""
        since = max(filter(None, (generation.retired_at, generation.created_at)))
        while (datetime.now(UTC) - since).total_seconds() < _LAST_SEARCHES_S:
            progress("wait", 0, 1)
            time.sleep(0.2)
        with self._alone(generation):
            self._remove(generation)

    def _remove(self, generation: Generation) -> None:
        self._platform.vectors.drop(generation.collection)
        with self._platform.database.begin() as connection:
            generations.forget_rows(connection, generation.id)

    def _reconcile(self, job: Job) -> None:
        """One generation, or every one that is kept; makes collections that are gone again."""
        with self._platform.database.begin() as connection:
            kept = generations.kept(connection)
        for generation in kept:
            if job.subject in (None, str(generation.id)) and generation.state is not GenerationState.BUILDING:
                self._platform.vectors.create(generation.collection, generation.dimension)
                reconcile(self._platform, generation)

    def _subject(self, job: Job) -> Generation:
        with self._platform.database.begin() as connection:
            generation = None if job.subject is None else generations.get(connection, int(job.subject))
        if generation is None:
            raise ItemFailed("index_gone", "this index does not exist any more")
        return generation

    @contextmanager
    def _alone(self, generation: Generation) -> Iterator[Generation]:
        """Be the only one who works on a generation; yields it as it is then. Raises `Unavailable` if another does."""
        with self._platform.database.lock(_LOCK | generation.id, wait=False) as connection:
            if connection is None:
                raise Unavailable(f"another worker is at the index {generation.collection}")
            with connection.begin():
                present = generations.get(connection, generation.id)
            if present is None or present.state not in (*KEPT, GenerationState.DROPPED):
                raise ItemFailed("index_gone", f"the index {generation.collection} is {generation.state}")
            yield present


def _start_gate(connection: Connection, generation: Generation) -> None:
    """Let the finished generation be compared with the live one, if it must pass a gate."""
    live = generations.live(connection)
    if generation.gate is None or live is None:
        return
    evaluation_id, _ = evaluations.start(
        connection,
        golden_set_id=str(generation.gate["golden_set_id"]),
        generation_id=generation.id,
        baseline_id=live.id,
        gate={name: value for name, value in generation.gate.items() if name in ("min_ndcg", "max_drop")},
        created_by=generation.created_by,
    )
    generations.update(connection, generation.id, evaluation_id=evaluation_id)


def _now() -> datetime:
    return datetime.now(UTC)
