"""`LangChainModel` on a service that speaks Gemini's API (a small real server): words, counts, ends, failures."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kbcore.domain.document import Classification
from kbcore.errors import Unavailable
from kbcore.llm.breaker import Breaker
from kbcore.llm.interface import AnswerRequest, Message, Source, Usage
from kbcore.llm.langchain_chat import LangChainModel
from kbcore.llm.providers import ChatService
from kbcore.settings import CONFIG_FOLDER

WORDS = "年假可以结转。[1]"
REQUEST = AnswerRequest("年假可以结转吗？", "zh", [Source(1, "手册", "年假可以结转。", (), 1.0, "zh")], max_tokens=50)
COUNTED = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Keep the test output clean."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.requests.append((self.path, self.headers["x-goog-api-key"], body))
        model = self.path.rpartition("/")[2].partition(":")[0]
        if model == "broken":
            self._send(403, b'{"error": {"code": 403, "message": "key sk-secret", "status": "PERMISSION_DENIED"}}')
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in _events(model):
            self.wfile.write(f"data: {json.dumps(event)}\r\n\r\n".encode())
        self.close_connection = True

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _events(model: str) -> list[dict[str, Any]]:
    """What `streamGenerateContent` sends for one answer (docs of the API); `cut` ends in the middle."""
    first, last = (
        {"candidates": [{"content": {"role": "model", "parts": [{"text": words}]}, "index": 0}], "modelVersion": model}
        for words in (WORDS[:3], WORDS[3:])
    )
    if model == "cut":
        return [first]
    last["candidates"][0]["finishReason"] = "MAX_TOKENS" if model == "long" else "STOP"  # type: ignore[index]
    return [first, {**last, "usageMetadata": COUNTED}]


@pytest.fixture
def gemini() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _model(address: str, model: str) -> LangChainModel:
    pytest.importorskip("langchain_google_genai")
    return LangChainModel(
        "gemini",
        ChatService("google", model, address, "sk-secret", api_version="", timeout_s=5),
        allowed=Classification.PUBLIC,
        context_tokens=4096,
        prompts=CONFIG_FOLDER / "prompts",
        breaker=Breaker(failures=100, rest_s=1),
    )


def _at(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize(("model", "ends"), [("say", "stop"), ("long", "length")])
def test_words_counts_and_ends(gemini: ThreadingHTTPServer, model: str, ends: str) -> None:
    *words, last = list(_model(_at(gemini), model).answer(REQUEST))
    assert "".join(part.text for part in words) == WORDS
    assert last.finish_reason == ends
    assert last.usage == Usage(11, 7)
    ((path, key, body),) = gemini.requests  # type: ignore[attr-defined]
    assert f"/models/{model}:streamGenerateContent" in path
    assert key == "sk-secret"
    assert body["generationConfig"]["maxOutputTokens"] == 50
    assert "年假可以结转" in json.dumps(body, ensure_ascii=False)


def test_it_can_be_told_anything(gemini: ThreadingHTTPServer) -> None:
    assert _model(_at(gemini), "say").say([Message("user", "年假可以结转吗？")], max_tokens=9) == WORDS
    assert gemini.requests[0][2]["generationConfig"]["maxOutputTokens"] == 9  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", ["cut", "broken"])
def test_whatever_goes_wrong_is_said_without_a_secret(gemini: ThreadingHTTPServer, model: str) -> None:
    with pytest.raises(Unavailable) as failure:
        list(_model(_at(gemini), model).answer(REQUEST))
    assert failure.value.code == "model_unavailable"
    assert "gemini" in failure.value.detail
    assert "secret" not in failure.value.detail


def test_a_service_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        list(_model("http://127.0.0.1:9", "say").answer(REQUEST))
