"""A small rerank server on loopback that is as strict as the real ones: Cohere's, Jina's and TEI's API over real HTTP.

A passage scores the share of the question's words that it has. It can be told to fail.
"""

import json
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from tests.servers.embedding_server import Reply

API_KEY = "rerank-server-key"
TEI_BATCH = 32

_FIELDS = {
    "/v2/rerank": ({"model", "query", "documents"}, {"top_n", "max_tokens_per_doc", "priority"}),
    "/v1/rerank": ({"model", "query", "documents"}, {"top_n", "return_documents"}),
    "/rerank": ({"query", "texts"}, {"raw_scores", "return_text", "truncate", "truncation_direction"}),
}
"""What each API demands, and what else it knows."""


@dataclass(slots=True)
class RerankServer:
    """What it was asked, and the next answers (first out first) that are not to be the right ones."""

    url: str
    logits: bool = False
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    hangs: Event = field(default_factory=Event)
    let_go: Event = field(default_factory=Event)


@contextmanager
def rerank_server(*, logits: bool = False) -> Iterator[RerankServer]:
    """A fresh server for the block, on a free port; with `logits` its scores are not between 0 and 1."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    state = RerankServer(f"http://127.0.0.1:{http.server_port}", logits)
    http.state = state  # type: ignore[attr-defined]
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.let_go.set()
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    @property
    def state(self) -> RerankServer:
        return self.server.state  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.requests.append((self.path, asked))
        if self.state.hangs.is_set():
            self.state.let_go.wait()
            self.close_connection = True
            return
        self._send(self.state.replies.popleft() if self.state.replies else self._answer(asked))

    def _answer(self, asked: dict[str, Any]) -> Reply:
        if self.headers["Authorization"] != f"Bearer {API_KEY}":
            return Reply({"message": "who are you?"}, status=401)
        if self.path not in _FIELDS:
            return Reply({"message": "no such path"}, status=404)
        needed, known = _FIELDS[self.path]
        if not needed <= set(asked) <= needed | known:
            return Reply({"message": "unknown or missing fields"}, status=422)
        if self.path == "/rerank":
            return self._tei(asked)
        scores = self._scores(asked["query"], asked["documents"], raw=self.state.logits)
        results: list[dict[str, Any]] = [{"index": index, "relevance_score": score} for index, score in scores]
        results = results[: asked.get("top_n")]
        if asked.get("return_documents", self.path == "/v1/rerank"):
            results = [{**each, "document": {"text": asked["documents"][each["index"]]}} for each in results]
        return Reply({"id": "1", "model": asked["model"], "results": results, "meta": {}, "usage": {"total_tokens": 1}})

    def _tei(self, asked: dict[str, Any]) -> Reply:
        if len(asked["texts"]) > TEI_BATCH:
            return Reply({"error": f"batch size > maximum allowed batch size {TEI_BATCH}"}, status=422)
        scores = self._scores(asked["query"], asked["texts"], raw=asked.get("raw_scores", False))
        return Reply([{"index": index, "score": score} for index, score in scores])

    def _scores(self, question: str, passages: list[str], *, raw: bool) -> list[tuple[int, float]]:
        """Best first."""
        wanted = set(question.lower().split())
        shares = [len(wanted & set(passage.lower().split())) / max(len(wanted), 1) for passage in passages]
        scores = [_logit(share) for share in shares] if raw else shares
        return sorted(enumerate(scores), key=lambda item: -item[1])

    def _send(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _logit(share: float) -> float:
    inside = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(inside / (1 - inside))
