"""Prometheus metrics, all in one place; docs/metrics.md explains them. Times are in seconds.

Counters and histograms are of this process. The gauges of stock (epoch, jobs, versions, rows) are read from SQL when
Prometheus asks, so they are right after any restart and whichever process did the work.
Label values come from fixed sets (routes, stages, states), never from what a caller sends: that bounds their number.
"""

import math
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series each, which nobody reads
registry = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

http_requests = Counter(
    "zhiku_http_requests", "Answered HTTP requests", ["method", "route", "status"], registry=registry
)
http_seconds = Histogram(
    "zhiku_http_request_seconds",
    "Time to the end of the answer",
    ["method", "route"],
    buckets=_SECONDS,
    registry=registry,
)
search_stage_seconds = Histogram(
    "zhiku_search_stage_seconds", "Time of one stage of a search", ["stage"], buckets=_SECONDS, registry=registry
)
search_hits_refused = Counter(
    "zhiku_search_hits_refused", "Hits of the index that the check in SQL refused", registry=registry
)
reranks = Counter("zhiku_reranks", "Searches that a reranker was to reorder", ["outcome"], registry=registry)
answers = Counter("zhiku_answers", "Answers given", ["outcome"], registry=registry)
conflicts = Counter("zhiku_conflicts", "Answers whose sources contradict each other", ["shown"], registry=registry)
guarded = Counter("zhiku_guarded", "What the guard kept back", ["what", "reason"], registry=registry)
answers_remembered = Counter(
    "zhiku_answers_remembered", "Answers looked for among earlier ones", ["found"], registry=registry
)
limits_refused = Counter("zhiku_limits_refused", "Requests refused by a limit or quota", ["limit"], registry=registry)
limits_unchecked = Counter("zhiku_limits_unchecked", "Requests let through uncounted", registry=registry)
model_tokens = Counter("zhiku_model_tokens", "Tokens read and written by models", ["model", "kind"], registry=registry)
model_cost = Counter(
    "zhiku_model_cost", "Cost of models, in the currency of their prices", ["model"], registry=registry
)

epoch = Gauge("zhiku_epoch", "The committed epoch: publications so far", registry=registry)
index_rows = Gauge("zhiku_index_rows", "Open rows of the live index", registry=registry)
jobs = Gauge("zhiku_jobs", "Jobs by kind and state", ["kind", "state"], registry=registry)
versions = Gauge("zhiku_versions", "Received document versions by state", ["state"], registry=registry)
purged_versions = Gauge("zhiku_purged_versions", "Versions whose content was purged or erased", registry=registry)
anomalies = Gauge("zhiku_anomalies", "Findings of the anomaly rules on record", ["rule"], registry=registry)
erasures = Gauge("zhiku_erasures", "Erasures of documents by state", ["state"], registry=registry)
ledger_items = Gauge("zhiku_ledger_items", "Received items by how they ended", ["outcome"], registry=registry)
ledger_imbalance = Gauge(
    "zhiku_ledger_imbalance", "Received items that no outcome accounts for; must be 0", registry=registry
)
oldest_job_seconds = Gauge("zhiku_oldest_queued_job_seconds", "How long the oldest queued job waits", registry=registry)
audit_records = Gauge("zhiku_audit_records", "Records of the audit log", registry=registry)
audit_head_seconds = Gauge(
    "zhiku_audit_head_exported_seconds",
    "Since what is new in the audit log was verified and its head exported; NaN before the first time",
    registry=registry,
)
audit_verified_seconds = Gauge(
    "zhiku_audit_verified_seconds",
    "Since the whole audit log was verified and found unchanged; NaN before the first time",
    registry=registry,
)


def set_stock(
    *,
    epoch_value: int,
    rows: int,
    jobs_by_kind_and_state: Mapping[tuple[str, str], int],
    versions_by_state: Mapping[str, int],
    versions_purged: int,
    erasures_by_state: Mapping[str, int],
    anomalies_by_rule: Mapping[str, int],
    oldest_queued_s: float,
) -> None:
    """Set the gauges of stock; combinations that no longer exist disappear."""
    epoch.set(epoch_value)
    index_rows.set(rows)
    oldest_job_seconds.set(oldest_queued_s)
    purged_versions.set(versions_purged)
    for rule, count in anomalies_by_rule.items():
        anomalies.labels(rule).set(count)
    erasures.clear()
    for state, count in erasures_by_state.items():
        erasures.labels(state).set(count)
    jobs.clear()
    for (kind, state), count in jobs_by_kind_and_state.items():
        jobs.labels(kind, state).set(count)
    versions.clear()
    for state, count in versions_by_state.items():
        versions.labels(state).set(count)


def set_ledger(by_outcome: Mapping[str, int], *, received: int, imbalance: int) -> None:
    """Set the ledger's gauges; `received` is one of the outcomes' labels, counted by other means than the rest."""
    ledger_imbalance.set(imbalance)
    for outcome, count in {"received": received, **by_outcome}.items():
        ledger_items.labels(outcome).set(count)


def set_audit(*, records: int, head_age_s: float | None, verified_age_s: float | None) -> None:
    """Set the gauges of the audit log; None = never yet."""
    audit_records.set(records)
    audit_head_seconds.set(math.nan if head_age_s is None else head_age_s)
    audit_verified_seconds.set(math.nan if verified_age_s is None else verified_age_s)


def exposition() -> bytes:
    """Every metric in Prometheus' text format."""
    return generate_latest(registry)
