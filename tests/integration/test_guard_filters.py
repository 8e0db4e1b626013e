"""Content filters behind HTTP: real servers, good and bad, and what they are never sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import pytest

from kbcore.domain.document import Classification
from kbcore.egress.client import Egress
from kbcore.egress.rules import EgressRules
from kbcore.errors import Unavailable
from services.guard.filters import ALLOWED, Decision, Direction
from services.guard.http_filter import HttpFilter


@dataclass
class Moderator:
    """A server that answers everything alike and keeps what it was asked."""

    url: str = ""
    status: int = 200
    answer: str = "{}"
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def moderator() -> Iterator[Moderator]:
    state = Moderator()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Keep the test output clean."""

        def do_POST(self) -> None:
            state.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            state.keys.append(self.headers["authorization"])
            body = state.answer.encode()
            self.send_response(state.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1/moderations"
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _filter(url: str, kind: Literal["openai", "json"]) -> HttpFilter:
    return HttpFilter(
        "moderation",
        Egress(EgressRules()),
        url=url,
        kind=kind,
        model="m",
        api_key="sk-secret",
        most_secret=Classification.INTERNAL,
        timeout_s=5,
    )


def test_an_openai_shaped_endpoint() -> None:
    with moderator() as server:
        server.answer = json.dumps({"results": [{"flagged": True, "categories": {"hate": False, "self-harm": True}}]})
        verdict = _filter(server.url, "openai").check("text", Direction.IN, "zh")
        assert (verdict.decision, verdict.reason) == (Decision.REFUSE, "self_harm")
        assert verdict.notice.startswith("抱歉")
        server.answer = json.dumps({"results": [{"flagged": False, "categories": {}}]})
        assert _filter(server.url, "openai").check("text", Direction.OUT, "en") == ALLOWED
    assert server.asked[0] == {"input": "text", "model": "m"}
    assert server.keys == ["Bearer sk-secret"] * 2


def test_a_simple_service_of_ones_own() -> None:
    with moderator() as server:
        server.answer = json.dumps({"action": "mask", "reason": "Code Name", "text": "project ***"})
        verdict = _filter(server.url, "json").check("project bluebird", Direction.OUT, "en")
    assert (verdict.decision, verdict.reason, verdict.text) == (Decision.MASK, "code_name", "project ***")
    assert server.asked == [{"text": "project bluebird", "direction": "out", "language": "en"}]


@pytest.mark.parametrize("kind", ["openai", "json"])
@pytest.mark.parametrize(
    ("status", "answer"),
    [(500, "{}"), (200, "not json"), (200, "[]"), (200, '{"results": []}'), (200, '{"action": "shout"}'), (302, "{}")],
)
def test_whatever_goes_wrong_is_unavailable_and_says_nothing_secret(
    status: int, answer: str, kind: Literal["openai", "json"]
) -> None:
    with moderator() as server:
        server.status, server.answer = status, answer
        with pytest.raises(Unavailable) as raised:
            _filter(server.url, kind).check("a secret question", Direction.IN, "en")
    assert raised.value.code == "filter_unavailable"
    for secret in ("secret question", "sk-secret", "127.0.0.1"):
        assert secret not in raised.value.detail


def test_a_server_that_is_not_there() -> None:
    with moderator() as server:
        url = server.url
    with pytest.raises(Unavailable, match="moderation"):
        _filter(url, "json").check("text", Direction.IN, "en")
