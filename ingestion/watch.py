"""Watch: the anomaly rules read the audit stream, record what they find, and may put off requests of who caused it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from kbcore.audit.anomalies import Finding, Observed, Rule, Thresholds, judge, network_of, new_place
from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import KeyKind
from kbcore.metadata import anomaly_stream, api_keys

_BATCH = 5000  # what the windows reach back to is read once for each
_OWN = ("anomaly.", "throttle.")
"""Kinds that Zhiku writes about people; nobody did them."""

log = structlog.get_logger(__name__)


def watch(platform: Platform, now: datetime) -> list[Finding]:
    """Judge what is new in the audit log; returns what was found. Each batch is one transaction."""
    limits = platform.settings.anomaly.thresholds()
    if not limits.rules:
        return []
    found: list[Finding] = []
    while True:
        with platform.database.begin() as connection:
            records = anomaly_stream.take(connection, _BATCH)
            if not records:
                return found
            fresh = _judge(platform, connection, limits, records)
            events = [event for finding in fresh for event in _consequences(platform, connection, finding, now)]
            platform.audit.append(connection, *events)
        for finding in fresh:
            log.warning("anomaly", rule=finding.rule.value, user_id=finding.user, figures=dict(finding.figures))
        found.extend(fresh)


def _judge(
    platform: Platform, connection: Connection, limits: Thresholds, records: Sequence[Observed]
) -> list[Finding]:
    context = anomaly_stream.before(connection, records, limits.longest)
    named = {document for each in records for document in each.documents}
    found = judge(
        limits,
        [*context, *records],
        since=records[0].seq,
        restricted=anomaly_stream.restricted_among(connection, named),
        reported=anomaly_stream.reported_since(connection, records[0].at - limits.longest),
    )
    if Rule.NEW_PLACE in limits.rules:
        found.extend(_new_places(platform, connection, records))
    return found


def _new_places(platform: Platform, connection: Connection, records: Sequence[Observed]) -> Iterator[Finding]:
    """Whoever holds the key is meant: a service account, if one acted for somebody."""
    seen: set[tuple[str, str, str]] = set()
    for record in records:
        user = record.acting or record.actor
        if user is None or record.kind.startswith(_OWN):
            continue
        for what, value in _places_of(record):
            if (user, what, value) in seen:
                continue
            seen.add((user, what, value))
            if what == "key" and not _lasts(connection, value):
                continue
            learned = anomaly_stream.learn(connection, user, what, platform.audit.key.pseudonym(f"{what} {value}"))
            if learned is None:
                continue
            since, knew_others = learned
            finding = new_place(record, what=what, user=user, user_since=since, knew_others=knew_others)
            if finding is not None:
                yield finding


def _places_of(record: Observed) -> Iterator[tuple[str, str]]:
    if network := network_of(record.address):
        yield "address", network
    if record.key_id is not None:
        yield "key", record.key_id


def _lasts(connection: Connection, key_id: str) -> bool:
    """Every login makes a session's key: that one is new is not remarkable."""
    kind = api_keys.kind_of(connection, key_id)
    return kind is KeyKind.KEY


def _consequences(platform: Platform, connection: Connection, finding: Finding, now: datetime) -> Iterator[AuditEvent]:
    yield AuditEvent(
        anomaly_stream.kind_of(finding.rule),
        actor=finding.user,
        detail={
            "at": finding.at.isoformat(),
            "seq": finding.seq,
            "window_s": int(finding.window.total_seconds()),
            "address": finding.address,
            **finding.figures,
        },
    )
    settings = platform.settings.anomaly
    until = finding.at + timedelta(minutes=settings.throttle_minutes)
    if finding.user is None or not finding.blames or finding.rule not in settings.throttling or until <= now:
        return
    if anomaly_stream.throttle(connection, finding.user, until=until, now=now):
        detail = {"rule": finding.rule.value, "until": until.isoformat()}
        yield AuditEvent("throttle.set", actor=finding.user, detail=detail)
