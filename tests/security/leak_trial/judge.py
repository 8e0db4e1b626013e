"""Judges every answer against the states of the model that held while it was made, and counts."""

import base64
import binascii
import math
import re
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from tests.security.leak_trial import oracle
from tests.security.leak_trial.world import World

_MARKER = re.compile(r"mk(\d{4})v\d{3}x")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CURSOR = re.compile(r'"next_cursor":\s*"([A-Za-z0-9_-]+)"')
_TOLD = 8
"""Moves in a story."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the person whose rights count, how, and with which key."""

    person: str
    kind: str
    headers: tuple[tuple[str, str], ...]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What happened: in words, and the documents, people and groups that it was about."""

    words: str
    about: frozenset[str] = frozenset()


@dataclass(slots=True)
class State:
    """A world that came to be between `begun` and `acknowledged` (seconds of the epoch)."""

    world: World
    move: Move
    begun: float
    acknowledged: float = math.inf
    _edges: list[float] | None = None
    _readable: dict[tuple[str, int, bool], frozenset[int]] = field(default_factory=dict)

    def readable(
        self, asker: Asker, started: float, ended: float, *, also_gone: bool = False
    ) -> Iterator[frozenset[int]]:
        """What the asker may read, at every moment of the interval at which that differs."""
        if asker.key in self.world.revoked:
            yield frozenset()
            return
        if self._edges is None:
            self._edges = sorted(oracle.boundaries(self.world))
        for age in range(bisect_right(self._edges, started), bisect_right(self._edges, ended) + 1):
            key = (asker.person, age, also_gone)
            if key not in self._readable:
                moment = self._edges[age - 1] if age else started
                self._readable[key] = oracle.readable(self.world, asker.person, moment, also_gone=also_gone)
            yield self._readable[key]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: everything that can be read in it, and when it was made."""

    path: str
    asker: Asker
    request: str
    status: int
    text: str
    started: float
    ended: float

    @property
    def documents(self) -> frozenset[int]:
        """Numbers of the documents whose markers stand in it."""
        return frozenset(int(number) for number in _MARKER.findall(self.text))

    @property
    def ids(self) -> frozenset[str]:
        """Ids that stand in it, in cursors, too."""
        decoded = "".join(_decoded(cursor) for cursor in _CURSOR.findall(self.text))
        return frozenset(_ID.findall(self.text + decoded))


@dataclass
class Tally:
    """Figures of one path or one kind of person; `shown` counts documents in answers: what was there to be leaked."""

    requests: int = 0
    decisions: int = 0
    leaks: int = 0
    hidden: int = 0
    shown: int = 0

    def add(self, other: "Tally") -> None:
        """Count another one's figures, too."""
        self.requests += other.requests
        self.decisions += other.decisions
        self.leaks += other.leaks
        self.hidden += other.hidden
        self.shown += other.shown


@dataclass
class Judge:
    """The history of states, and what was found."""

    states: list[State]
    by_path: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_kind: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    faults: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def during(self, started: float, ended: float) -> Sequence[State]:
        """The states that may have held at some moment of this interval, oldest first."""
        found = []
        with self._lock:
            known = list(self.states)
        for state in reversed(known):
            if state.begun <= ended:
                found.append(state)
                if state.acknowledged <= started:
                    break
        return found[::-1]

    def judge(
        self,
        answer: Answer,
        *,
        decisions: int,
        ids_allowed: frozenset[str] = frozenset(),
        any_id: bool = False,
        also_gone_ids: bool = False,
    ) -> None:
        """Everything that the answer shows must be readable in some state during the request."""
        states = self.during(answer.started, answer.ended)
        asker, started, ended = answer.asker, answer.started, answer.ended
        shown = answer.documents
        allowed = frozenset[int]().union(*(each for s in states for each in s.readable(asker, started, ended)))
        leaked = shown - allowed
        if not any_id:
            numbers = {d.id: d.number for d in states[-1].world.documents.values()}
            named = frozenset(numbers[each] for each in answer.ids - ids_allowed if each in numbers)
            once = allowed
            if also_gone_ids:
                once = once.union(*(each for s in states for each in s.readable(asker, started, ended, also_gone=True)))
            leaked |= named - once
            shown |= named
        self.count(answer, decisions=decisions, shown=len(shown), leaked=leaked)

    def expect(self, answer: Answer, shown: Iterable[int], among: frozenset[int] | None, *, indexed: bool) -> None:
        """Whatever was readable in every state during the request must have been shown; `among` narrows that."""
        states = self.during(answer.started, answer.ended)
        asker, started, ended = answer.asker, answer.started, answer.ended
        expected = frozenset.intersection(*(each for s in states for each in s.readable(asker, started, ended)))
        if among is not None:
            expected &= among
        if indexed:
            expected = frozenset(n for n in expected if all(_indexed(s.world, n) for s in states))
        missing = expected - frozenset(shown)
        if missing:
            self.count(answer, missing=missing)

    def may_read(self, asker: Asker, number: int, started: float, ended: float) -> bool:
        """In some state during the interval."""
        states = self.during(started, ended)
        return any(number in each for s in states for each in s.readable(asker, started, ended))

    def count(
        self,
        answer: Answer,
        *,
        decisions: int = 0,
        shown: int = 0,
        leaked: frozenset[int] = frozenset(),
        missing: frozenset[int] = frozenset(),
    ) -> None:
        """Add to the figures, and tell the story of what went wrong."""
        kind = self._kind(answer)
        with self._lock:
            for tally in (self.by_path[answer.path], self.by_kind[kind]):
                tally.requests += decisions > 0
                tally.shown += shown
                tally.decisions += decisions
                tally.leaks += len(leaked)
                tally.hidden += len(missing)
            for number in sorted(leaked):
                self.faults.append(self._story("LEAK", answer, number))
            for number in sorted(missing):
                self.faults.append(self._story("WRONGLY HIDDEN", answer, number))

    def odd(self, answer: Answer, number: int, why: str) -> None:
        """Something else that must not be: it counts as a leak."""
        kind = self._kind(answer)
        with self._lock:
            for tally in (self.by_path[answer.path], self.by_kind[kind]):
                tally.leaks += 1
            self.faults.append(self._story(why, answer, number))

    def _kind(self, answer: Answer) -> str:
        world = self.during(answer.started, answer.ended)[0].world
        if not world.people[answer.asker.person].active:
            return "deactivated"
        return "revoked key" if answer.asker.key in world.revoked else answer.asker.kind

    def _story(self, fault: str, answer: Answer, number: int) -> str:
        """The last moves on this document, its space, this person and the groups: the shortest story there is."""
        world = self.states[-1].world
        document, asker = world.documents[number], answer.asker
        held = oracle.principals(world, asker.person)
        about = {f"document:{number}", f"space:{document.space}", *held}
        told = [s for s in self.states if s.move.about & about and s.begun <= answer.ended][-_TOLD:]
        lines = [f"{fault}: document {number} ({document.id}) to {asker.person} ({asker.kind}) by {answer.path}"]
        lines.append(f"  {answer.request} -> {answer.status}, {answer.started:.3f}-{answer.ended:.3f}")
        lines += [f"  {s.begun:.3f}-{s.acknowledged:.3f} {s.move.words}" for s in told]
        lines.append(f"  its policy: {oracle.counting(world, document)}, level {document.level}, {document.space}")
        lines.append(f"  the person: {world.people[asker.person]}, {sorted(held)}")
        return "\n".join(lines)


def _indexed(world: World, number: int) -> bool:
    document = world.documents.get(number)
    return document is not None and document.indexed and document.stamped


@cache
def _decoded(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""
