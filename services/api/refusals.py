"""Which refusals are recorded one by one: a caller that is refused all the time must not fill the audit log."""

import threading
import time
from dataclasses import dataclass

_MINUTE_S = 60.0
_MOST_CALLERS = 10_000


@dataclass(slots=True)
class _Window:
    began: float
    seen: int = 0
    told: int = 0

    @property
    def untold(self) -> int:
        return self.seen - self.told


class RefusalCount:
    """Counts the refusals of each caller, minute by minute, in this process.

    The first `singly` of a minute are recorded as they come, then one record for every doubling. What is still untold
    when the minute ends is added to the caller's next record.
    """

    def __init__(self, singly: int) -> None:
        self._singly = singly
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def note(self, user_id: str, now: float | None = None) -> int:
        """Count one; returns how many refusals a record made now stands for, 0 = make none. `now`: seconds."""
        now = time.monotonic() if now is None else now
        with self._lock:
            window = self._windows.get(user_id)
            if window is None or now - window.began >= _MINUTE_S:
                carried = 0 if window is None else window.untold
                self._forget(now)
                window = self._windows[user_id] = _Window(now, told=-carried)
            window.seen += 1
            if window.seen > self._singly and not self._doubled(window.seen):
                return 0
            told, window.told = window.untold, window.seen
            return told

    def _doubled(self, seen: int) -> bool:
        times, rest = divmod(seen, self._singly)
        return rest == 0 and times & (times - 1) == 0

    def _forget(self, now: float) -> None:
        """Keep memory bounded: quiet callers whose refusals are all told, then the oldest."""
        if len(self._windows) < _MOST_CALLERS:
            return
        for user_id, window in list(self._windows.items()):
            if now - window.began >= _MINUTE_S and not window.untold:
                del self._windows[user_id]
        while len(self._windows) >= _MOST_CALLERS:
            del self._windows[next(iter(self._windows))]
