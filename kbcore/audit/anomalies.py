"""What is remarkable in the audit stream: pure rules over records in their order (docs/traces.md).

Every rule looks at a window that slides with the records, so that a burst is seen wherever it begins; one finding is
reported for each subject and window, not one for each record.
"""

import ipaddress
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo


class Rule(StrEnum):
    """The rules, as `[anomaly] rules` names them; a finding's audit event is `anomaly.<rule>`."""

    HARVESTING = "harvesting"  # very many different documents
    REFUSALS = "refusals"  # many refusals
    OFF_HOURS = "off_hours"  # restricted documents at unusual hours
    NEW_PLACE = "new_place"  # a network or a key that somebody has not used before


READING = frozenset({"search.retrieved", "document.read"})
_REQUEST = "request.refused"
REFUSED = frozenset({_REQUEST, "login.refused", "authentication.refused"})
OFF_HOURS_WINDOW = timedelta(hours=12)
_FIRST_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which figures on something is remarkable. Hours are of the clock in `zone`; days are ISO weekdays (1-7)."""

    rules: frozenset[Rule]
    documents: int
    documents_window: timedelta
    refusals: int
    refusals_window: timedelta
    off_from: int
    off_to: int
    off_days: frozenset[int]
    zone: ZoneInfo

    @property
    def longest(self) -> timedelta:
        """How far back the rules look."""
        return max(self.documents_window, self.refusals_window, OFF_HOURS_WINDOW)

    def is_off(self, at: datetime) -> bool:
        """True if this moment lies outside of working hours."""
        local = at.astimezone(self.zone)
        if local.isoweekday() in self.off_days:
            return True
        if self.off_from <= self.off_to:
            return self.off_from <= local.hour < self.off_to
        return local.hour >= self.off_from or local.hour < self.off_to


@dataclass(frozen=True, slots=True)
class Observed:
    """A record as the rules see it."""

    seq: int
    at: datetime
    kind: str
    actor: str | None = None
    acting: str | None = None
    key_id: str | None = None
    address: str | None = None
    documents: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many refusals it stands for: bursts are counted before they are written."""
        told = self.detail.get("count", self.detail.get("more", 1))
        return told if isinstance(told, int) and told > 0 else 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something remarkable, about a user or an address. `blames` = the user itself did it: only then may it be
    throttled, or failed logins by others could shut somebody out."""

    rule: Rule
    seq: int
    at: datetime
    window: timedelta
    user: str | None = None
    address: str | None = None
    blames: bool = False
    figures: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return self.user or self.address or ""


Reported = Mapping[tuple[Rule, str], datetime]
"""By rule and subject: when it was last found."""


def judge(
    limits: Thresholds, records: Sequence[Observed], *, since: int, restricted: Collection[str], reported: Reported
) -> list[Finding]:
    """The findings that records with `seq` of at least `since` complete, in their order.

    `records` also holds, before those, what the windows reach back to; `restricted` are ids of restricted documents.
    """
    found: list[Finding] = []
    if Rule.HARVESTING in limits.rules:
        found.extend(_harvesting(limits, records, since))
    if Rule.REFUSALS in limits.rules:
        found.extend(_refusals(limits, records, since))
    if Rule.OFF_HOURS in limits.rules:
        found.extend(_off_hours(limits, records, since, restricted))
    return list(once_a_window(sorted(found, key=lambda each: each.seq), reported))


def once_a_window(found: Iterable[Finding], reported: Reported) -> Iterator[Finding]:
    """Leave out what was found less than its window before, about the same subject by the same rule."""
    last = dict(reported)
    for finding in found:
        key = (finding.rule, finding.subject)
        if key not in last or finding.at - last[key] >= finding.window:
            last[key] = finding.at
            yield finding


def network_of(address: str | None) -> str | None:
    """The network that a client's address belongs to: /24, of IPv6 /48; None if it is no address."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    parsed = mapped or parsed
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def new_place(record: Observed, *, what: str, user: str, user_since: datetime, knew_others: bool) -> Finding | None:
    """That `user` came from a network, or with a key, for the first time; not in its first day, nor if there is nothing
    to compare with."""
    if not knew_others or record.at - user_since < _FIRST_DAY:
        return None
    return Finding(Rule.NEW_PLACE, record.seq, record.at, timedelta(0), user=user, blames=True, figures={"what": what})


def _harvesting(limits: Thresholds, records: Sequence[Observed], since: int) -> Iterator[Finding]:
    seen: dict[str, deque[Observed]] = {}
    held: dict[str, Counter[str]] = {}
    for record in records:
        if record.kind not in READING or record.actor is None:
            continue
        window = seen.setdefault(record.actor, deque())
        counter = held.setdefault(record.actor, Counter())
        window.append(record)
        counter.update(record.documents)
        while record.at - window[0].at >= limits.documents_window:
            counter.subtract(window.popleft().documents)
            counter = held[record.actor] = +counter
        if record.seq >= since and len(counter) > limits.documents:
            figures = {"documents": len(counter), "limit": limits.documents}
            yield Finding(
                Rule.HARVESTING,
                record.seq,
                record.at,
                limits.documents_window,
                user=record.actor,
                blames=True,
                figures=figures,
            )


def _refusals(limits: Thresholds, records: Sequence[Observed], since: int) -> Iterator[Finding]:
    seen: dict[tuple[str | None, str | None], deque[Observed]] = {}
    for record in records:
        if record.kind not in REFUSED:
            continue
        for subject in _refused_subjects(record):
            window = seen.setdefault(subject, deque())
            window.append(record)
            while record.at - window[0].at >= limits.refusals_window:
                window.popleft()
            refused = sum(each.count for each in window)
            # Whoever has found an old key of somebody, or knows its name, must not be able to shut it out.
            own = sum(each.count for each in window if each.kind == _REQUEST)
            if record.seq >= since and refused > limits.refusals:
                user, address = subject
                yield Finding(
                    Rule.REFUSALS,
                    record.seq,
                    record.at,
                    limits.refusals_window,
                    user=user,
                    address=address,
                    blames=user is not None and own > limits.refusals,
                    figures={"refusals": refused, "limit": limits.refusals},
                )


def _refused_subjects(record: Observed) -> list[tuple[str | None, str | None]]:
    """Who is refused; of somebody unknown, from where, and whose name was tried."""
    if record.actor is not None:
        return [(record.actor, None)]
    tried = record.detail.get("user")
    named: list[tuple[str | None, str | None]] = [(tried, None)] if isinstance(tried, str) else []
    return [*named, *([(None, record.address)] if record.address else [])]


def _off_hours(
    limits: Thresholds, records: Sequence[Observed], since: int, restricted: Collection[str]
) -> Iterator[Finding]:
    for record in records:
        if record.seq < since or record.kind not in READING or record.actor is None:
            continue
        touched = set(record.documents) & set(restricted)
        if touched and limits.is_off(record.at):
            figures = {"documents": len(touched)}
            yield Finding(
                Rule.OFF_HOURS,
                record.seq,
                record.at,
                OFF_HOURS_WINDOW,
                user=record.actor,
                blames=True,
                figures=figures,
            )
