"""Warm-up: load the embedding model, the dictionaries and the live index before the first question needs them."""

import threading

import structlog

from kbcore.bootstrap import Platform
from kbcore.errors import Unavailable, ZhikuError
from kbcore.metadata import generations
from services.query.retrieve import analyse

_RETRY_S = 1.0
_TEXT = "预热 warm-up"

log = structlog.get_logger(__name__)


class WarmUp(threading.Thread):
    """Runs once beside the first requests; tries again while a dependency does not answer."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(name="warm-up", daemon=True)
        self._platform = platform
        self._stopped = threading.Event()
        self._done = threading.Event()
        self._detail = "the embedding model and the index are being loaded"

    def run(self) -> None:
        """Warm up; until that has succeeded, `check` says why not."""
        while not self._done.is_set():
            try:
                self._warm()
                self._done.set()
            except ZhikuError as error:
                self._detail = error.detail
                log.warning("warm-up waits", detail=error.detail)
                if self._stopped.wait(_RETRY_S):
                    return

    def check(self) -> None:
        """Return if questions can be answered at full speed, raise `Unavailable` if not yet."""
        if not self._done.is_set():
            raise Unavailable(self._detail)

    def stop(self) -> None:
        """Give up waiting; a step that is under way is waited for, up to 5 s."""
        self._stopped.set()
        self.join(timeout=5)

    def _warm(self) -> None:
        self._platform.embedder.embed_query(_TEXT)
        analyse(_TEXT)
        if self._stopped.is_set():
            return
        with self._platform.database.snapshot() as connection:
            generation = generations.live(connection)
        if generation is not None:
            self._platform.embedder_for(generation.embedding).embed_query(_TEXT)
            self._platform.vectors.load(generation.collection)
