"""`python -m deploy.worker_alive`: exit code 0 if this container's worker answers Celery's ping."""

import socket
import sys

from kbcore.queue.celery import celery_app
from kbcore.settings import load_settings


def main() -> None:
    """Ping the worker of this host name."""
    app = celery_app(load_settings().redis.url.get_secret_value())
    if not app.control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=10.0):
        sys.exit("the worker does not answer")


if __name__ == "__main__":
    main()
