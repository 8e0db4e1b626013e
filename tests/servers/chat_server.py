"""A small real HTTP server that speaks OpenAI's chat API from a script: what a model may do, well or badly.

The `model` of a request chooses the behaviour (`BEHAVIOURS`); what is said is `answer`. Requests are kept.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BEHAVIOURS = (
    *("say", "slow", "cut", "silent", "rate_limited", "broken", "garbage", "not_json", "unauthorised"),
    *("withheld", "tools", "at_length", "uncounted", "miscounted", "unreadable", "alive", "endless", "one_line"),
)
_ENDS = {"withheld": "content_filter", "tools": "tool_calls", "at_length": "length"}
_HALF_A_PAIR = chr(0xD83D)


@dataclass
class ChatServer:
    """A running server: `base_url` goes into the settings; `answer` is what `say` and the faulty streams say.

    `thinks_s` passes before the first piece.
    """

    base_url: str
    answer: str = "NO_ANSWER"
    thinks_s: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    pieces_sent: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """A server on a free loopback port, gone when the block ends."""
    http = _Server(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    state = ChatServer(f"http://127.0.0.1:{http.server_address[1]}/v1")
    http.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # many may come at once


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> ChatServer:
        return self.server.state  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in BEHAVIOURS]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.state.requests.append(body)
        match body["model"]:
            case "rate_limited":
                self._json(429, {"error": {"message": "slow down", "type": "rate_limit"}}, {"retry-after": "30"})
            case "broken":
                self._json(500, {"error": {"message": "secret-detail of the server"}}, {"retry-after-ms": "1"})
            case "unauthorised":
                self._json(401, {"error": {"message": "key sk-secret is wrong"}})
            case "not_json":
                self._send(200, "text/html", b"<html>Welcome to nginx</html>")
            case behaviour:
                self._stream(behaviour)

    def _stream(self, behaviour: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self._events(behaviour)
        except (BrokenPipeError, ConnectionResetError):
            self.state.hung_up.set()
            self.close_connection = True

    def _events(self, behaviour: str) -> None:
        if behaviour == "garbage":
            self._event('{"id": "x", "choices": [{"delta": {"content": "halb')
            self._event('{"choices": "none"}')
        if behaviour == "unreadable":
            self._event(json.dumps(_chunk({"content": f"\0{_HALF_A_PAIR}"}, None)))
        while behaviour in ("alive", "endless", "one_line"):
            self._go_on(behaviour)
        time.sleep(self.state.thinks_s)
        if behaviour == "silent":
            time.sleep(3)
        pieces = [self.state.answer[i : i + 7] for i in range(0, len(self.state.answer), 7)]
        for number, piece in enumerate(pieces):
            if behaviour == "cut" and number >= len(pieces) // 2:
                self.close_connection = True
                return
            if behaviour == "slow":
                time.sleep(0.05)
            self._event(json.dumps(_chunk({"role": "assistant", "content": piece}, None)))
            self.state.pieces_sent += 1
        self._event(json.dumps(_chunk({}, _ENDS.get(behaviour, "stop"))))
        usage: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": len(pieces), "total_tokens": 100}
        if behaviour == "miscounted":
            usage = {"prompt_tokens": -1, "completion_tokens": 10**30, "total_tokens": 0}
        if behaviour != "uncounted":
            self._event(json.dumps({**_chunk({}, None), "choices": [], "usage": usage}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _go_on(self, behaviour: str) -> None:
        """A little more of what has no end."""
        if behaviour == "alive":
            time.sleep(0.02)
            self._write(b": still there\n\n")
        elif behaviour == "one_line":
            self._write(b"data: " + bytes([65]) * 1_000_000)
        else:
            self._event(json.dumps(_chunk({"content": self.state.answer}, None)))

    def _event(self, data: str) -> None:
        self._write(f"data: {data}\n\n".encode())

    def _write(self, payload: bytes) -> None:
        self.wfile.write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers)

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
