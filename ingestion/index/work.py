"""The jobs that are about whole index generations: build, follow, promote, drop, reconcile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import BoundedSemaphore

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ingestion.index.build import Builder, Progress
from ingestion.index.promote import promote
from ingestion.index.reconcile import counts_agree, reconcile
from ingestion.publish import Publisher
from kbcore.audit.events import AuditEvent
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
        self._places = BoundedSemaphore(max(1, platform.settings.worker.concurrency - 1))

    def run(self, job: Job, progress: Progress) -> None:
        """Do a job of one of these kinds. Raises `ItemFailed`, `Unavailable`, and what `progress` raises."""
        match job.kind:
            case JobKind.REINDEX:
                with self._long_work():
                    self._build(self._subject(job), progress)
            case JobKind.FOLLOW:
                with self._long_work():
                    self._follow(progress)
            case JobKind.PROMOTE:
                with self._alone(self._subject(job)) as generation:
                    require_model(self._platform, generation)
                    promote(self._platform, self._publisher, generation, progress)
            case JobKind.DROP:
                self._drop(self._subject(job), progress)
            case JobKind.RECONCILE:
                self._reconcile(job)
            case _:
                raise ItemFailed("internal_error", f"no worker does jobs of the kind {job.kind}")

    def give_up(self, connection: Connection, job: Job, *, skipped: bool) -> Generation | None:
        """Say of a build that is ending without success that its generation ends too; what is then to be removed."""
        if job.kind is not JobKind.REINDEX or job.subject is None:
            return None
        state = GenerationState.CANCELLED if skipped else GenerationState.FAILED
        if not generations.move(connection, int(job.subject), (GenerationState.BUILDING,), state):
            return None
        return generations.get(connection, int(job.subject))

    def remove(self, generation: Generation, *events: AuditEvent) -> None:
        """Take a generation's rows out of Milvus and SQL; if that fails, the next try or a drop does."""
        self._platform.vectors.drop(generation.collection)
        with self._platform.database.begin() as connection:
            generations.forget_rows(connection, generation.id)
            self._platform.audit.append(connection, *events)

    def _build(self, generation: Generation, progress: Progress) -> None:
        self._begin_again(generation)
        with self._alone(generation) as present:
            if present.state is not GenerationState.BUILDING:
                self._start_gate(present)  # a worker that died here had done all but this
                return
            if present.cursor == 0:  # nothing is built yet, so what stands there is of another life
                self.remove(present)
            self._platform.vectors.create(present.collection, present.dimension)
            require_model(self._platform, present)
            builder = Builder(self._platform, present, progress)
            builder.first_pass()
            builder.catch_up()
            if not counts_agree(self._platform, present):
                reconcile(self._platform, present)
            self._platform.vectors.flush(present.collection)
            self._platform.vectors.load(present.collection)
            self._finish_building(present)

    def _begin_again(self, generation: Generation) -> None:
        """A repeated job builds a generation that was given up from the start."""
        given_up = (GenerationState.CANCELLED, GenerationState.FAILED)
        try:
            with self._platform.database.begin() as connection:
                through = publications.current_epoch(connection)
                generations.move(
                    connection, generation.id, given_up, GenerationState.BUILDING, cursor=0, built_through=through
                )
        except IntegrityError:
            raise ItemFailed("reindex_running", "another index is being built; repeat this when it is done") from None

    def _finish_building(self, generation: Generation) -> None:
        building = (GenerationState.BUILDING,)
        with self._platform.database.begin() as connection:
            generations.move(connection, generation.id, building, GenerationState.READY, ready_at=_now())
        self._start_gate(generation)

    def _start_gate(self, generation: Generation) -> None:
        """Let a finished generation be compared with the live one, once, if it must pass a gate."""
        with self._platform.database.begin() as connection:
            present, live = generations.lock(connection, generation.id), generations.live(connection)
            if present is None or present.state is not GenerationState.READY or present.gate is None or live is None:
                return
            if present.evaluation_id is None:
                evaluation_id, _ = evaluations.start(
                    connection,
                    golden_set_id=str(present.gate["golden_set_id"]),
                    generation_id=present.id,
                    baseline_id=live.id,
                    gate={name: value for name, value in present.gate.items() if name in ("min_ndcg", "max_drop")},
                    created_by=present.created_by,
                )
                generations.update(connection, present.id, evaluation_id=evaluation_id)

    def _follow(self, progress: Progress) -> None:
        with self._platform.database.begin() as connection:
            following = generations.following(connection)
        for generation in following:
            if not knows_model(self._platform, generation):
                continue
            with self._alone(generation) as present:
                if present.state in generations.FOLLOWING:
                    Builder(self._platform, present, progress).catch_up()

    def _drop(self, generation: Generation, progress: Progress) -> None:
        """The row says `dropped` already, so no search begins there; those that had begun get the time to end."""
        since = max(filter(None, (generation.retired_at, generation.created_at)))
        while (datetime.now(UTC) - since).total_seconds() < _LAST_SEARCHES_S:
            progress("wait", 0, 1)
            time.sleep(0.2)
        with self._alone(generation) as present:
            if present.state is not GenerationState.DROPPED:
                raise ItemFailed("index_live", f"the index {generation.collection} is {present.state}; it stays")
            self.remove(present, AuditEvent("index.dropped", detail={"index": present.id}))

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
    def _long_work(self) -> Iterator[None]:
        """Leave one of the worker's threads to documents. Raises `Unavailable` if all the others are building."""
        if not self._places.acquire(blocking=False):
            raise Unavailable("this worker builds another index already")
        try:
            yield
        finally:
            self._places.release()

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


def knows_model(platform: Platform, generation: Generation) -> bool:
    """Whether the embedding model of a generation is configured here."""
    try:
        platform.embedder_for(generation.embedding)
    except Unavailable as error:
        if error.code != "embedding_mismatch":
            raise
        return False
    return True


def require_model(platform: Platform, generation: Generation) -> None:
    """Raises `ItemFailed` (`embedding_mismatch`) if a generation's model is not configured: waiting would not help."""
    if not knows_model(platform, generation):
        raise ItemFailed(
            "embedding_mismatch", f"no setting names the embedding model {generation.embedding} of this index any more"
        )


def _now() -> datetime:
    return datetime.now(UTC)
