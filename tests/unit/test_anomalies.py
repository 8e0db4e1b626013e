"""The rules over the audit stream: windows slide, and a burst is one finding."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kbcore.audit.anomalies import Finding, Observed, Rule, Thresholds, judge, network_of, new_place

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
LIMITS = Thresholds(
    rules=frozenset(Rule),
    documents=5,
    documents_window=timedelta(hours=1),
    refusals=3,
    refusals_window=timedelta(minutes=5),
    off_from=22,
    off_to=6,
    off_days=frozenset({7}),
    zone=ZoneInfo("UTC"),
)


def read(seq: int, minute: float, *documents: str, actor: str = "u", kind: str = "document.read") -> Observed:
    return Observed(seq, NOON + timedelta(minutes=minute), kind, actor=actor, documents=documents)


def refused(seq: int, minute: float, actor: str | None = "u", address: str = "1.2.3.4", **detail: Any) -> Observed:
    kind = "login.refused" if actor is None else "request.refused"
    return Observed(seq, NOON + timedelta(minutes=minute), kind, actor=actor, address=address, detail=detail)


def found(
    *records: Observed, since: int = 1, restricted: frozenset[str] = frozenset(), **reported: datetime
) -> list[Finding]:
    known = {(Rule.HARVESTING, user): at for user, at in reported.items()}
    return judge(LIMITS, records, since=since, restricted=restricted, reported=known)


def test_many_different_documents_are_one_finding() -> None:
    records = [read(n, n, f"d{n}") for n in range(1, 21)]
    (finding,) = found(*records)
    assert (finding.rule, finding.seq, finding.user, finding.blames) == (Rule.HARVESTING, 6, "u", True)
    assert finding.figures == {"documents": 6, "limit": 5}


def test_the_same_documents_again_are_not_many() -> None:
    assert found(*(read(n, n, f"d{n % 5}") for n in range(1, 50))) == []


def test_slow_reading_is_not_harvesting_but_a_burst_across_the_hour_is() -> None:
    assert found(*(read(n, 12 * n, f"d{n}") for n in range(1, 50))) == [], "half open: an hour holds five"
    across = [read(n, 55 + 2 * n, f"d{n}") for n in range(1, 7)]
    assert [finding.seq for finding in found(*across)] == [6]


def test_people_are_counted_by_themselves() -> None:
    assert found(*(read(n, n, f"d{n}", actor=f"u{n % 3}") for n in range(1, 15))) == []


def test_what_was_judged_before_counts_but_is_not_reported_again() -> None:
    records = [read(n, n, f"d{n}") for n in range(1, 8)]
    assert [finding.seq for finding in found(*records, since=7)] == [7]
    assert found(*records, since=7, u=NOON) == []
    assert [finding.seq for finding in found(*records, since=7, u=NOON - timedelta(hours=1))] == [7]


def test_bursts_of_refusals() -> None:
    assert [each.seq for each in found(*(refused(n, n) for n in range(1, 6)))] == [4]
    assert found(*(refused(n, 2 * n) for n in range(1, 20))) == [], "three in five minutes are the limit"
    (finding,) = found(refused(1, 0, count=4))
    assert (finding.figures["refusals"], finding.user, finding.blames) == (4, "u", True)


def test_failed_logins_blame_nobody() -> None:
    tried = [refused(n, 0.1 * n, None, f"1.1.1.{n}", user="victim") for n in range(1, 6)]
    assert [(each.user, each.address, each.blames) for each in found(*tried)] == [("victim", None, False)]
    sprayed = [refused(n, 0.1 * n, None, user=None) for n in range(1, 6)]
    assert [(each.user, each.address) for each in found(*sprayed)] == [(None, "1.2.3.4")]


@pytest.mark.parametrize(
    ("hour", "day", "remarkable"),
    [(12, 4, False), (21, 4, False), (22, 4, True), (5, 4, True), (6, 4, False), (12, 8, True)],
)
def test_restricted_documents_at_night_and_on_days_off(hour: int, day: int, remarkable: bool) -> None:
    at = datetime(2026, 3, day, hour, 30, tzinfo=UTC)
    records = [Observed(n, at + timedelta(minutes=n), "search.retrieved", actor="u", documents=("d",)) for n in (1, 2)]
    assert [each.rule for each in found(*records, restricted=frozenset({"d"}))] == [Rule.OFF_HOURS] * remarkable
    assert found(*records, restricted=frozenset({"other"})) == []


def test_networks() -> None:
    assert network_of("192.0.2.77") == network_of("::ffff:192.0.2.1") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_of("testclient") is network_of(None) is None


def test_a_new_place_is_remarkable_once_there_are_others_and_the_user_is_not_new() -> None:
    record = read(1, 0)
    old, new = NOON - timedelta(days=2), NOON - timedelta(hours=2)
    assert new_place(record, what="address", user="u", user_since=old, knew_others=True) is not None
    assert new_place(record, what="address", user="u", user_since=old, knew_others=False) is None
    assert new_place(record, what="address", user="u", user_since=new, knew_others=True) is None
