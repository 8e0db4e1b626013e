"""`zhiku status` asks the servers that run, wherever they are."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from kbcore.settings import load_settings
from services.supervisor.folder import DataFolder
from services.supervisor.health import health
from services.supervisor.parts import local_url
from services.supervisor.process import ProcessId
from services.supervisor.state import ChildState, State


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def ready_api() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_api_is_asked_at_the_address_that_it_was_started_with(ready_api: str, tmp_path: Path) -> None:
    settings = load_settings({"ZHIKU_HOME": str(tmp_path), "ZHIKU_PORT": "1"})
    folder = DataFolder(tmp_path)
    folder.create()
    me = ProcessId(os.getpid(), psutil.Process().create_time())
    State(me, ready_api, "ready", {"api": ChildState(me, 15)}).write(folder.state)
    found = health(settings)
    assert found.url == ready_api
    assert found.ready


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")],
)
def test_the_local_address_can_be_opened(host: str, url: str, tmp_path: Path) -> None:
    settings = load_settings({"ZHIKU_HOME": str(tmp_path), "ZHIKU_HOST": host, "ZHIKU_PORT": "8000"})
    assert local_url(settings) == url
