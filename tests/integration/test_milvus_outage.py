"""The Milvus adapter through kill -9, restarts and silence of its server."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from kbcore.domain.document import FOREVER, Classification
from kbcore.errors import Unavailable
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import VectorFilter, VectorRow, VectorStamp
from kbcore.vectors.milvus import MilvusStore
from services.supervisor.milvus import EmbeddedMilvus
from services.supervisor.sockets import socket_folder
from tests.servers import Child, running

COLLECTION = "outage"
EVERYONE = VectorFilter(ReadScope(frozenset({1}), Classification.PUBLIC), epoch=1)
AXES = np.eye(8, dtype=np.float32)
ROWS = [VectorRow(f"d-1-{n}", VectorStamp(n % 3, 1, 1, 0, 1, FOREVER), AXES[n % 8], {n + 1: 0.5}) for n in range(40)]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="zhiku-test-"))
    yield folder
    shutil.rmtree(socket_folder(folder), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(home: Path) -> EmbeddedMilvus:
    return EmbeddedMilvus(home / "milvus", socket_folder(home))


def kill(child: Child) -> None:
    os.kill(child.id.pid, signal.SIGKILL)
    child.stop()


def test_everything_acknowledged_survives_a_kill_and_the_same_store_goes_on(server, home):
    store = MilvusStore(server.uri)
    with running(server.prepare(), home / "log") as child:
        store.create(COLLECTION, 8)
        store.upsert(COLLECTION, ROWS[:20])
        store.flush(COLLECTION)
        store.upsert(COLLECTION, ROWS[20:])
        store.close(COLLECTION, ["d-1-3", "d-1-30"], 1)
        store.restamp(COLLECTION, 2, policy_id=9, level=3)
        kill(child)
    closed = {"d-1-3", "d-1-30"}
    expected = {
        row.chunk_id: replace(
            row.stamp,
            valid_to=1 if row.chunk_id in closed else FOREVER,
            policy_id=9 if row.stamp.document_key == 2 else 1,
            level=3 if row.stamp.document_key == 2 else 0,
        )
        for row in ROWS
    }
    with running(server.prepare(), home / "log"):
        assert dict(store.scan(COLLECTION)) == expected  # the restarted server had not loaded the collection
        readable = sorted(key for key, stamp in expected.items() if EVERYONE.accepts(stamp))
        assert sorted(hit.chunk_id for hit in store.search_dense(COLLECTION, AXES[0], EVERYONE, 50)) == readable
        store.close(COLLECTION, [row.chunk_id for row in ROWS], FOREVER)
        store.restamp(COLLECTION, 2, policy_id=1, level=0)
        for row in ROWS:
            assert store.search_sparse(COLLECTION, row.sparse, EVERYONE, 1)[0].chunk_id == row.chunk_id
            best = store.search_dense(COLLECTION, row.dense, EVERYONE, 5)
            assert [hit.score for hit in best] == pytest.approx([1.0] * 5)


def test_a_call_during_a_restart_waits_for_the_server(server, home):
    store = MilvusStore(server.uri, patience_s=60)
    with running(server.prepare(), home / "log") as child:
        store.create(COLLECTION, 8)
        store.upsert(COLLECTION, ROWS)
        kill(child)
    found: list[int] = []
    waiting = Thread(target=lambda: found.append(len(store.search_dense(COLLECTION, AXES[0], EVERYONE, 50))))
    waiting.start()
    with running(server.prepare(), home / "log"):
        waiting.join()
    assert found == [len(ROWS)]


def test_silence_is_reported_as_unavailable_without_the_address(server):
    store = MilvusStore(server.uri, token="root:secret", patience_s=0.2)
    for call in (
        store.ping,
        lambda: store.count(COLLECTION),
        lambda: store.upsert(COLLECTION, ROWS),
        lambda: store.search_dense(COLLECTION, AXES[0], EVERYONE, 5),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert "secret" not in str(caught.value)
        assert str(server.uri) not in str(caught.value)
