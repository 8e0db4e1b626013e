"""The local model's own process, with a stand-in for the vendor's library: address, key, health, end."""

import http.client
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from kbcore.settings import load_settings
from services.local_models import registry
from services.local_models.catalogue import LOCAL_QWEN
from services.supervisor import local_model
from services.supervisor.local_model import LocalModelServer, model_answers
from tests.servers import running

STAND_IN = '''
"""What of xllamacpp the server uses."""
import http.server, threading, types

class CommonParams:
    def __init__(self):
        self.model, self.cpuparams, self.cpuparams_batch = (types.SimpleNamespace() for _ in range(3))

class Server:
    def __init__(self, given):
        assert given.hostnames == ["127.0.0.1"] and given.offline is True and given.ui is False, vars(given)
        assert given.cpuparams.n_threads == given.cpuparams_batch.n_threads == 1
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                known = self.headers.get("authorization") == f"Bearer {given.api_keys[0]}"
                self.send_response(200 if known or self.path == "/health" else 401)
                self.end_headers()
            def log_message(self, *_): pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{given.port}"
'''


@pytest.fixture
def served(tmp_path: Path) -> LocalModelServer:
    """A model's file of the right length (and no bytes on the disk), registered."""
    file = registry.model_file(tmp_path, LOCAL_QWEN)
    file.parent.mkdir(parents=True)
    with file.open("wb") as stream:
        stream.truncate(LOCAL_QWEN.size)
    registry.write(tmp_path, registry.Registry({LOCAL_QWEN.name: LOCAL_QWEN.file}))
    (tmp_path / "stand_in").mkdir()
    (tmp_path / "stand_in" / "xllamacpp.py").write_text(STAND_IN, encoding="utf-8")
    settings = load_settings({"ZHIKU_HOME": str(tmp_path), "ZHIKU_LOCAL_MODEL__THREADS": "1"})
    return LocalModelServer(settings, LOCAL_QWEN.name)


def test_it_answers_whoever_has_the_key_of_this_start(served: LocalModelServer, tmp_path: Path) -> None:
    part = served.prepare()
    path = os.pathsep.join((str(tmp_path / "stand_in"), part.environment["PYTHONPATH"]))
    environment = {**part.environment, "PYTHONPATH": path, "ZHIKU_LOCAL_MODEL__THREADS": "1"}
    assert not model_answers(served.addresses)
    with running(replace(part, environment=environment), tmp_path / "log") as child:
        deadline = time.monotonic() + 60
        while not model_answers(served.addresses) and time.monotonic() < deadline:
            assert child.running, (tmp_path / "log").read_text(encoding="utf-8")
            time.sleep(0.05)
        url = served.addresses["ZHIKU_LOCAL_MODEL__BASE_URL"]
        key = served.addresses["ZHIKU_LOCAL_MODEL__API_KEY"]
        assert urlsplit(url).hostname == "127.0.0.1"
        assert httpx.get(f"{url}/models").status_code == http.client.UNAUTHORIZED
        assert httpx.get(f"{url}/models", headers={"authorization": f"Bearer {key}"}).status_code == http.client.OK
        assert key not in (tmp_path / "log").read_text(encoding="utf-8")
        assert key not in " ".join(part.command)
    assert child.exit_code == 0
    assert part.stop_signal == signal.SIGTERM
    assert not model_answers(served.addresses)


def test_each_start_has_a_key_and_a_port_of_its_own(tmp_path: Path) -> None:
    settings = load_settings({"ZHIKU_HOME": str(tmp_path)})
    first, second = (LocalModelServer(settings, "local-qwen").addresses for _ in range(2))
    assert first["ZHIKU_LOCAL_MODEL__API_KEY"] != second["ZHIKU_LOCAL_MODEL__API_KEY"]
    assert len(first["ZHIKU_LOCAL_MODEL__API_KEY"]) >= 40


def test_without_a_file_it_says_why_and_ends(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text(STAND_IN, encoding="utf-8")
    part = LocalModelServer(load_settings({"ZHIKU_HOME": str(tmp_path)}), "local-qwen").prepare()
    path = os.pathsep.join((str(tmp_path), part.environment["PYTHONPATH"]))
    with running(replace(part, environment={**part.environment, "PYTHONPATH": path}), tmp_path / "log") as child:
        deadline = time.monotonic() + 60
        while child.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert child.exit_code == 1
    assert "there is no model" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_configured_server_is_not_doubled(served: LocalModelServer, tmp_path: Path) -> None:
    environment = {"ZHIKU_HOME": str(tmp_path), "ZHIKU_LOCAL_MODEL__BASE_URL": "http://127.0.0.1:1/v1"}
    assert local_model.local_model_server(load_settings(environment)) is None
