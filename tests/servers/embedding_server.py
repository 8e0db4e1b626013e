"""A small model server on loopback: OpenAI's embeddings API over real HTTP.

Its vectors count character pairs, so texts that share words are near each other; it can be told to fail.
"""

import json
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any, ClassVar

DIMENSION = 256
API_KEY = "model-server-key"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to give instead of the right one."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class EmbeddingServer:
    """What it was asked, and the next answers (first out first) that are not to be the right ones."""

    base_url: str
    requests: list[tuple[str, dict[str, Any]]]
    replies: deque[Reply]


def pair_counts(text: str) -> list[float]:
    counts = [0.0] * DIMENSION
    for pair in pairwise(f" {text.lower()} "):
        counts[zlib.crc32("".join(pair).encode("utf-8", "replace")) % DIMENSION] += 1.0
    return counts


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    """A fresh server for the block, on a free port."""
    requests: list[tuple[str, dict[str, Any]]] = []
    replies: deque[Reply] = deque()

    class Handler(_Handler):
        asked = requests
        instead = replies

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield EmbeddingServer(f"http://127.0.0.1:{http.server_port}/v1", requests, replies)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, dict[str, Any]]]]
    instead: ClassVar[deque[Reply]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, asked))
        if self.instead:
            reply = self.instead.popleft()
        elif self.headers["Authorization"] != f"Bearer {API_KEY}":
            reply = Reply({"error": "who are you?"}, status=401)
        elif self.path == "/v1/embeddings":
            reply = Reply(_embeddings(asked))
        else:
            reply = Reply({"error": "no such path"}, status=404)
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    data = [{"index": index, "embedding": pair_counts(text)} for index, text in enumerate(asked["input"])]
    return {"object": "list", "model": asked["model"], "data": data[::-1]}
