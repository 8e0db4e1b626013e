"""The worker process's edges: servers that come up late, housekeeping that goes wrong."""

import shutil
import tempfile
import threading
from pathlib import Path

from ingestion.schedule import Repeated
from ingestion.worker import await_workbench
from kbcore.bootstrap import Platform
from kbcore.vectors.milvus import MilvusStore
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.sockets import socket_folder
from tests.servers import running


def test_a_worker_waits_for_its_servers(platform: Platform) -> None:
    home = Path(tempfile.mkdtemp(prefix="zhiku-test-"))
    server = EmbeddedMilvus(home / "milvus", socket_folder(home))
    platform.__dict__["vectors"] = MilvusStore(server.uri, patience_s=0.1)
    names: list[str] = []
    waiting = threading.Thread(target=lambda: names.append(await_workbench(platform).name))
    waiting.start()
    try:
        waiting.join(0.5)
        assert waiting.is_alive()
        with running(server.prepare(), home / "log"):
            waiting.join(60)
    finally:
        shutil.rmtree(socket_folder(home), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)
    assert len(names) == 1


def test_housekeeping_goes_on_after_an_error() -> None:
    rounds: list[int] = []
    again = threading.Event()

    def action() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise RuntimeError("the first round fails")
        again.set()

    thread = Repeated("test", 0.01, action)
    thread.start()
    assert again.wait(30)
    thread.stop()
    assert not thread.is_alive()
