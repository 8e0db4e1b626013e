"""Delivery of job ids to workers. It may lose, repeat or reorder them: the job's row in SQL is the truth."""

from typing import Protocol


class JobQueue(Protocol):
    """Fire and forget; a sweeper re-sends every job that no worker holds."""

    def send(self, job_id: str) -> None:
        """Ask a worker to look at this job. Raises `Unavailable` when the broker does not answer."""

    def waiting(self) -> int:
        """How many deliveries are waiting for a worker. Raises `Unavailable`."""

    def ping(self) -> None:
        """Return if the broker answers, raise `Unavailable` if not."""
