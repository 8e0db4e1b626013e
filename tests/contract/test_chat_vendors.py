"""`LangChainModel` on a service that speaks Anthropic's API (a small real server): words, counts, ends, failures."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerRequest, Source, Usage
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService, chat_model, require_packages
from kbcore.settings import CONFIG_FOLDER

WORDS = "年假可以结转。[1]"
REQUEST = AnswerRequest("年假可以结转吗？", "zh", [Source(1, "手册", "年假可以结转。", (), 1.0, "zh")], max_tokens=50)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.requests.append((self.path, body))
        if body["model"] == "broken":
            self._send(500, b'{"type": "error", "error": {"type": "api_error", "message": "key sk-secret"}}')
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in _events(body["model"]):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        with suppress(ConnectionError):
            while body["model"] == "alive":
                time.sleep(0.02)
                self.wfile.write(b'event: ping\ndata: {"type": "ping"}\n\n')
        self.close_connection = True

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _events(model: str) -> list[dict[str, Any]]:
    """What the API streams for one answer (docs of the Messages API); `cut` and `alive` end in the middle."""
    usage = {"input_tokens": 11, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": model}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in (WORDS[:3], WORDS[3:])
        ),
    ]
    if model in ("cut", "alive"):
        return events
    reason = {"long": "max_tokens", "refused": "refusal"}.get(model, "end_turn")
    end = {"stop_reason": reason, "stop_sequence": None}
    return [
        *events,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"input_tokens": 11, "output_tokens": 7}},
        {"type": "message_stop"},
    ]


@pytest.fixture
def anthropic() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _model(
    server: ThreadingHTTPServer, model: str, breaker: Breaker | None = None, timeout_s: float = 5
) -> LangChainModel:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return LangChainModel(
        "claude",
        ChatService("anthropic", model, url, "sk-secret", api_version="", timeout_s=timeout_s),
        allowed=Classification.PUBLIC,
        context_tokens=4096,
        prompts=CONFIG_FOLDER / "prompts",
        breaker=breaker or Breaker(failures=100, rest_s=1),
    )


@pytest.mark.parametrize(("model", "ends"), [("say", "stop"), ("long", "length")])
def test_words_counts_and_ends(anthropic: ThreadingHTTPServer, model: str, ends: str) -> None:
    *words, last = list(_model(anthropic, model).answer(REQUEST))
    assert "".join(part.text for part in words) == WORDS
    assert last.finish_reason == ends
    assert last.usage == Usage(11, 7)
    ((path, body),) = anthropic.requests  # type: ignore[attr-defined]
    assert path == "/v1/messages"
    assert body["max_tokens"] == 50
    assert "年假可以结转" in json.dumps(body, ensure_ascii=False)


@pytest.mark.parametrize(
    ("model", "timeout_s"),
    [("cut", 5), ("broken", 5), ("refused", 5), ("alive", 0.2)],  # keep-alives do not prolong it
)
def test_whatever_goes_wrong_is_said_without_a_secret(
    anthropic: ThreadingHTTPServer, model: str, timeout_s: float
) -> None:
    with pytest.raises(Unavailable) as failure:
        list(_model(anthropic, model, timeout_s=timeout_s).answer(REQUEST))
    assert failure.value.code == "model_unavailable"
    assert "claude" in failure.value.detail
    assert "secret" not in failure.value.detail


def test_a_model_that_keeps_failing_is_not_asked_for_a_while(anthropic: ThreadingHTTPServer) -> None:
    model = _model(anthropic, "broken", Breaker(failures=2, rest_s=600))
    for _ in range(4):
        with pytest.raises(Unavailable):
            list(model.answer(REQUEST))
    asked = len(anthropic.requests)  # type: ignore[attr-defined]
    assert asked == 2 * 2  # two failures, each with the client's one retry
    with pytest.raises(Unavailable, match="rest"):
        model.ping()


def test_a_vendor_without_its_package_names_it_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kbcore.llm.providers.find_spec", lambda package: None)
    with pytest.raises(ConfigurationError, match=r"zhiku\[google\].* -m pip install langchain-google-genai$"):
        chat_model(ChatService("google", "gemini", "", "k", api_version="", timeout_s=5))
    with pytest.raises(ConfigurationError, match=r"zhiku\[local\].* -m pip install torch transformers$"):
        require_packages("transformers")


_TALKATIVE = """
import sys
from kbcore.observability.logging import configure_logging
from kbcore.settings import silence_telemetry
silence_telemetry()
configure_logging("DEBUG")
from langchain_core.tracers.langchain import wait_for_all_tracers
from kbcore.llm.providers import ChatService, chat_model
service = ChatService("anthropic", "say", sys.argv[1], "sk-secret", api_version="", timeout_s=5)
print("".join(str(chunk.text) for chunk in chat_model(service).stream([("user", "年假可以结转吗？")])))
wait_for_all_tracers()
"""


def test_what_a_model_is_sent_goes_nowhere_else_whatever_the_environment_says(anthropic: ThreadingHTTPServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        place = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        names = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
        talkative = {**dict.fromkeys(names, "true"), "LANGSMITH_ENDPOINT": place, "LANGSMITH_API_KEY": "key"}
        ran = subprocess.run(
            [sys.executable, "-c", _TALKATIVE, f"http://127.0.0.1:{anthropic.server_address[1]}"],
            env={**os.environ, **talkative, "ANTHROPIC_LOG": "debug"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.stdout.strip() == WORDS, ran.stderr
        assert "年假" not in ran.stderr
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_an_empty_address_is_the_vendors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL"):
        monkeypatch.setenv(name, "http://elsewhere.example")
    for provider, address in {"openai": "https://api.openai.com", "anthropic": "https://api.anthropic.com"}.items():
        built: Any = chat_model(ChatService(provider, "model", "", "sk-secret", api_version="", timeout_s=5))
        client = built.root_client if provider == "openai" else built._client
        assert str(client.base_url).startswith(address)
