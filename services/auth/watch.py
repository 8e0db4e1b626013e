"""What authentication tells the audit log, bounded: whoever knocks a million times must not write a million records."""

import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.errors import ZhikuError

PER_MINUTE = 10
"""Refusals of one kind from one address that are written one by one; the rest of that minute is one record."""

_MOST_ADDRESSES = 200
"""Addresses that are told apart within a minute; the others share one account."""

_MOST_USES = 10_000
_MINUTE_S = 60.0
_OTHERS = "others"


@dataclass(slots=True)
class _Minute:
    ends: float
    count: int = 0


class Watch:
    """One for each API process: it counts in memory, and what it counted is written when the minute is over.

    Nothing wakes up for that: it is done at the next request that authenticates, and at the end of the process.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, str | None], _Minute] = {}
        self._owed: dict[tuple[str, str | None], int] = {}
        self._due = float("inf")
        self._uses: OrderedDict[tuple[str, str | None], float] = OrderedDict()

    def refused(self, event: AuditEvent) -> None:
        """Record a refusal, or count it. Raises `AclUnavailable` if it could not be written."""
        now = time.monotonic()
        with self._lock:
            events = self._over(now)
            place = (event.kind, event.address)
            if place not in self._minutes and len(self._minutes) >= _MOST_ADDRESSES:
                place = (event.kind, _OTHERS)
            minute = self._minutes.setdefault(place, _Minute(now + _MINUTE_S))
            self._due = min(self._due, minute.ends)
            minute.count += 1
            if minute.count <= PER_MINUTE:
                events.append(event)
        self._record(events)

    def settle(self) -> None:
        """Write what was only counted in minutes that are over; nearly nothing to do if there are none."""
        now = time.monotonic()
        if now < self._due:
            return
        with self._lock:
            events = self._over(now)
        self._record(events)

    def is_first_use(self, key_id: str, address: str | None) -> bool:
        """True if this process has not seen the key used from this address within the last minute."""
        now = time.monotonic()
        with self._lock:
            seen = self._uses.get((key_id, address))
            if seen is not None and now - seen < _MINUTE_S:
                return False
            self._uses[key_id, address] = now
            self._uses.move_to_end((key_id, address))
            if len(self._uses) > _MOST_USES:
                self._uses.popitem(last=False)
        return True

    def forget_use(self, key_id: str, address: str | None) -> None:
        """Its record was not written after all: the next use is the first one."""
        with self._lock:
            self._uses.pop((key_id, address), None)

    def close(self) -> None:
        """Write what was counted so far, if SQL still answers."""
        with self._lock:
            events = self._over(float("inf"))
        with suppress(ZhikuError):
            self._record(events)

    def _record(self, events: list[AuditEvent]) -> None:
        """What was only counted stays owed if it can't be written now."""
        if not events:
            return
        try:
            self._platform.audit.record(events)
        except BaseException:
            with self._lock:
                for event in events:
                    if more := event.detail.get("more"):
                        self._owe((event.kind, event.address), more)
            raise

    def _owe(self, place: tuple[str, str | None], more: int) -> None:
        if place not in self._owed and len(self._owed) >= _MOST_ADDRESSES:
            place = (place[0], None)
        self._owed[place] = self._owed.get(place, 0) + more
        self._due = 0.0

    def _over(self, now: float) -> list[AuditEvent]:
        """The records of the minutes that have ended, which are then forgotten."""
        ended = [place for place, minute in self._minutes.items() if minute.ends <= now]
        for kind, address in ended:
            more = self._minutes.pop((kind, address)).count - PER_MINUTE
            if more > 0:
                self._owe((kind, None if address == _OTHERS else address), more)
        owed, self._owed = self._owed, {}
        events = [AuditEvent(kind, address=address, detail={"more": more}) for (kind, address), more in owed.items()]
        self._due = min((minute.ends for minute in self._minutes.values()), default=float("inf"))
        return events
