"""The embedded Milvus: Milvus Lite's own server.

It knows no passwords and its default is to listen on every interface, so it gets a unix socket in a private folder. One
worker: with more, concurrent writers lost acknowledged rows in a crash, and searches were no faster.
"""

import signal
import socket
import sys
from pathlib import Path

from kbcore.settings import child_environment
from services.supervisor.process import Part

_SUFFIX = 1  # the server makes its address from host and port, `unix:<path>` and `:1`


class EmbeddedMilvus:
    """Milvus Lite on the files in `data`, with its socket in `sockets`."""

    def __init__(self, data: Path, sockets: Path) -> None:
        self._data = data
        self._socket = sockets / "milvus"

    @property
    def uri(self) -> str:
        """The address for pymilvus."""
        return f"unix:{self._socket}:{_SUFFIX}"

    def prepare(self) -> Part:
        """Make the folder and say how to run the server."""
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Part(
            name="milvus",
            command=(
                *(sys.executable, "-m", "milvus_lite", "server"),
                *("--data-dir", str(self._data)),
                *("--host", f"unix:{self._socket}", "--port", str(_SUFFIX)),
                *("--max-workers", "1"),
            ),
            environment=child_environment(PYTHONUNBUFFERED="1"),
            ready=self.is_ready,
            stop_signal=signal.SIGINT,  # the only signal on which it closes its files
            death_signal=signal.SIGINT,
            stop_timeout_s=30.0,
            start_timeout_s=180.0,  # it reads its write-ahead log first
        )

    def is_ready(self) -> bool:
        """True if somebody listens on the socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(f"{self._socket}:{_SUFFIX}")
            except OSError:
                return False
        return True
