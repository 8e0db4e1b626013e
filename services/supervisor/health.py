"""How the parts of a running Zhiku are: the process and whether it answers."""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import psutil

from kbcore.settings import Settings
from services.supervisor.folder import DataFolder
from services.supervisor.local_model import PART, model_answers
from services.supervisor.parts import embedded_servers, probe
from services.supervisor.state import ChildState, State


@dataclass(frozen=True)
class PartHealth:
    """One process. `answers` is False while it starts; memory in bytes, `running_s` in seconds."""

    name: str
    running: bool
    answers: bool
    pid: int
    restarts: int
    running_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Health:
    """`url` is empty when nothing runs."""

    url: str
    ready: bool
    parts: tuple[PartHealth, ...] = ()


def health(settings: Settings) -> Health:
    """Look at every part; takes a few milliseconds, at worst 2 s when the API hangs."""
    folder = DataFolder(settings.home)
    state = State.read(folder.state)
    if state is None or not state.running:
        return Health("", ready=False)
    api = urlsplit(state.url)  # not the settings: another shell may not have the port that it was started with
    answers: dict[str, Callable[[], bool]] = {
        "api": lambda: probe(api.hostname or "", api.port or 80, "/readyz") == http.client.OK,
        PART: partial(model_answers, state.addresses),
    }
    for name, server in embedded_servers(settings, folder).servers.items():
        answers[name] = server.is_ready
    parts = tuple(_part(name, child, answers.get(name, lambda: True)) for name, child in state.children.items())
    return Health(state.url, ready=state.phase == "ready" and all(part.answers for part in parts), parts=parts)


def _part(name: str, child: ChildState, answers: Callable[[], bool]) -> PartHealth:
    process = child.process.find()
    try:
        memory = process.memory_info().rss if process else 0
    except psutil.NoSuchProcess:
        process, memory = None, 0
    return PartHealth(
        name=name,
        running=process is not None,
        answers=process is not None and answers(),
        pid=child.process.pid,
        restarts=child.restarts,
        running_s=time.time() - child.process.started if process else 0.0,
        memory_bytes=memory,
    )
