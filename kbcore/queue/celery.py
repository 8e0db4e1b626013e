"""Celery as the courier of job ids."""

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from kbcore.errors import Unavailable

QUEUE = "zhiku"
RUN_JOB = "zhiku.run_job"
"""The one task: it takes a job's id. `ingestion.tasks` registers it."""


def celery_app(url: str) -> Celery:
    """The Celery application, for the sender and for the worker. Opens no connection."""
    app = Celery("zhiku", broker=url)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=QUEUE,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 3600, "socket_connect_timeout": 2, "socket_timeout": 5},
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return app


class CeleryQueue:
    """Sends jobs over Redis. `url`: `redis://…`, or `redis+socket://…` for the embedded one."""

    def __init__(self, url: str) -> None:
        self._app = celery_app(url)
        # A request must not wait for a broker that is down: the sweeper will send what this did not.
        impatient = {"max_retries": 0, "socket_timeout": 2}
        self._app.conf.broker_transport_options = {**self._app.conf.broker_transport_options, **impatient}

    def send(self, job_id: str) -> None:
        """See `JobQueue.send`. Does not retry: the sweeper will."""
        try:
            self._app.send_task(RUN_JOB, args=[job_id], retry=False)
        except OperationalError as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__})") from error

    def waiting(self) -> int:
        """See `JobQueue.waiting`."""
        try:
            with self._app.connection_for_read(connect_timeout=2) as connection:
                queue = connection.default_channel.queue_declare(QUEUE, passive=True)
                return int(queue.message_count)
        except ChannelError:
            return 0
        except (OperationalError, OSError) as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__})") from error

    def ping(self) -> None:
        """See `JobQueue.ping`."""
        try:
            with self._app.connection_for_write(connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=0, timeout=2)
        except (OperationalError, OSError) as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__})") from error
