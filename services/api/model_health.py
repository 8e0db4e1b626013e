"""The answering models' health, for `/readyz`: looked at beside the request, at most once in some seconds."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import StrEnum

from kbcore.errors import Unavailable
from kbcore.llm.breaker import Resting
from kbcore.llm.interface import AnswerModel

_FRESH_S = 10.0
_PATIENCE_S = 1.0


class ModelState(StrEnum):
    """What a look at a model found."""

    OK = "ok"
    RESTING = "resting"  # it failed, and is not asked for a while
    UNREACHABLE = "unreachable"  # its server does not answer, or not within a second


class ModelHealth:
    """One for each API process: looks at every model, and again once what it saw is older than 10 s."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="model-health")
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[float, Future[ModelState]]] = {}

    def states(self, models: Mapping[str, AnswerModel]) -> dict[str, ModelState]:
        """By name; a look that takes longer than a second goes on without us, and counts as unreachable till then."""
        with self._lock:
            looks = {name: self._look(name, model) for name, model in models.items()}
        wait(looks.values(), timeout=_PATIENCE_S)
        return {name: look.result() if look.done() else ModelState.UNREACHABLE for name, look in looks.items()}

    def close(self) -> None:
        """Begin no more looks."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, name: str, model: AnswerModel) -> Future[ModelState]:
        begun, look = self._looks.get(name, (0.0, None))
        if look is None or (look.done() and time.monotonic() - begun > _FRESH_S):
            look = self._pool.submit(_state, model)
            self._looks[name] = (time.monotonic(), look)
        return look


def _state(model: AnswerModel) -> ModelState:
    try:
        model.ping()
    except Resting:
        return ModelState.RESTING
    except Unavailable:
        return ModelState.UNREACHABLE
    return ModelState.OK
