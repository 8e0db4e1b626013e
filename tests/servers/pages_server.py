"""A small real HTTP(S) server on any loopback address, answering from a script; its requests are kept."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Said:
    """An answer. `drip_s` is waited before each byte of the body."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0


@dataclass
class PagesServer:
    """A running server: `pages` by path; `asked` holds each request's path and headers (names in lower case)."""

    address: str
    port: int
    pages: dict[str, Said | Callable[[], Said]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _ in self.asked]


@contextmanager
def pages_server(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[PagesServer]:
    """A server on this loopback address, gone when the block ends."""
    http = ThreadingHTTPServer((address, port), _Handler)
    http.daemon_threads = True
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    state = PagesServer(address, http.server_address[1])
    http.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        state: PagesServer = self.server.state  # type: ignore[attr-defined]
        state.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        found = state.pages.get(self.path.partition("?")[0], Said(404, b"nothing"))
        said = found() if callable(found) else found
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if not said.drip_s:
                self.wfile.write(said.body)
                return
            for byte in said.body:
                time.sleep(said.drip_s)
                self.wfile.write(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def do_POST(self) -> None:
        self.do_GET()
