"""A circuit breaker: a backend that keeps failing is left alone for a while, so that nobody waits for it in vain."""

import threading
import time
from collections.abc import Callable

from kbcore.errors import Unavailable


class Resting(Unavailable):
    """A model that has failed is given a rest: it is not asked."""

    code = "model_unavailable"

    def __init__(self, name: str) -> None:
        super().__init__(f"the model {name} has failed and is given a rest")


class Breaker:
    """Closed: every call is let through. After `failures` in a row it opens for `rest_s`, then lets one call try.

    Counts of this process; safe to use from many threads.
    """

    def __init__(self, *, failures: int, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._closed_again_at = 0.0

    @property
    def open(self) -> bool:
        """True while calls are refused."""
        with self._lock:
            return self._failed >= self._failures and self._clock() < self._closed_again_at

    def lets_through(self) -> bool:
        """True if a call may be made now. Whoever is let through an open breaker is the only one for another rest."""
        with self._lock:
            if self._failed < self._failures:
                return True
            now = self._clock()
            if now < self._closed_again_at:
                return False
            self._closed_again_at = now + self._rest_s
            return True

    def succeeded(self) -> None:
        """Close it."""
        with self._lock:
            self._failed = 0

    def failed(self) -> None:
        """Count a failure; open it if that was one too many."""
        with self._lock:
            self._failed += 1
            if self._failed >= self._failures:
                self._closed_again_at = self._clock() + self._rest_s
