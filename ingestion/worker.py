"""The worker process: `python -m ingestion.worker`."""

import os
import sys
import time

import structlog
from celery import Celery
from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from ingestion.index.live import ensure_live
from ingestion.index.reconcile import counts_agree, reconcile
from ingestion.publish import Publisher
from ingestion.schedule import Housekeeper
from ingestion.tasks import Workbench
from kbcore.bootstrap import Platform
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.metadata import generations
from kbcore.observability.logging import configure_logging
from kbcore.queue.celery import RUN_JOB, celery_app
from kbcore.settings import Settings, load_settings, silence_telemetry

log = structlog.get_logger(__name__)

_RETRY_S = 1.0
BACKGROUND_NICENESS = 10
"""Where questions and documents share a machine, questions go first: a process of niceness 10 gets a tenth of the time
of one of niceness 0 that wants the same core, and all of it when nobody asks."""


def open_workbench(platform: Platform) -> Workbench:
    """Make the index ready (generation, collection, repair after an unclean stop) and return what runs jobs on it.

    Generations that are kept beside the live one are repaired too.
    """
    live = ensure_live(platform)
    with platform.database.begin() as connection:
        following = generations.following(connection)
    for generation in (live, *following):
        platform.vectors.create(generation.collection, generation.dimension)
        if not counts_agree(platform, generation):
            repair = reconcile(platform, generation)
            log.warning("an index differed from SQL", index=generation.id, written=repair.written)
    return Workbench(platform, Publisher(platform))


def await_workbench(platform: Platform) -> Workbench:
    """`open_workbench`, as soon as PostgreSQL and Milvus answer. Raises `ConfigurationError`."""
    while True:
        try:
            return open_workbench(platform)
        except Unavailable as error:
            log.warning("the worker waits", detail=error.detail)
            time.sleep(_RETRY_S)


def create_worker(settings: Settings, bench: Workbench) -> Celery:
    """The Celery application with the one task."""
    app = celery_app(settings.redis.url.get_secret_value())
    housekeeper = Housekeeper(bench)

    def start(**_: object) -> None:
        housekeeper.start()
        log.info("worker ready", name=bench.name)

    def stop_soon(**_: object) -> None:
        bench.stop_soon()

    def stop(**_: object) -> None:
        housekeeper.stop()
        bench.close()

    def run_job(job_id: str) -> None:
        bench.run(job_id)

    # Strong references: Celery's signals keep weak ones by default.
    worker_init.connect(start, weak=False)
    worker_shutting_down.connect(stop_soon, weak=False)
    worker_shutdown.connect(stop, weak=False)
    app.task(run_job, name=RUN_JOB)
    return app


def main() -> None:
    """Run a worker until SIGTERM; settings from the environment."""
    silence_telemetry()
    os.nice(BACKGROUND_NICENESS)
    try:
        settings = load_settings()
        configure_logging(settings.log.level, json_lines=settings.log.json_lines)
        arguments = [
            "worker",
            "--pool=threads",
            f"--concurrency={settings.worker.concurrency}",
            f"--loglevel={settings.log.level}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
        platform = Platform(settings)
        platform.require_audit()
        bench = await_workbench(platform)
        create_worker(settings, bench).worker_main(arguments)
    except ConfigurationError as error:
        sys.exit(f"zhiku worker: {error.detail}")


if __name__ == "__main__":
    main()
