"""Prometheus metrics, all in one place; docs/metrics.md explains them. Times are in seconds.

Label values come from fixed sets (routes, stages, states), never from what a caller sends: that bounds their number.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

http_requests = Counter(
    "zhiku_http_requests", "Answered HTTP requests", ["method", "route", "status"], registry=registry
)
http_seconds = Histogram(
    "zhiku_http_request_seconds", "Time to the end of the answer", ["method", "route"], buckets=_FAST, registry=registry
)
search_stage_seconds = Histogram(
    "zhiku_search_stage_seconds", "Time of one stage of a search", ["stage"], buckets=_FAST, registry=registry
)
search_hits_refused = Counter(
    "zhiku_search_hits_refused", "Hits of the index that the check in SQL refused", registry=registry
)
answers = Counter("zhiku_answers", "Answers given", ["model", "outcome"], registry=registry)
ingestion_stage_seconds = Histogram(
    "zhiku_ingestion_stage_seconds", "Time of one document in one stage", ["stage"], buckets=_SLOW, registry=registry
)
ingested_items = Counter(
    "zhiku_ingested_items", "Items that ended as indexed, skipped or failed", ["outcome", "reason"], registry=registry
)
publications = Counter("zhiku_publications", "Publications committed or undone", ["outcome"], registry=registry)
publication_seconds = Histogram(
    "zhiku_publication_seconds", "Time under the publication lock", buckets=_SLOW, registry=registry
)
published_rows = Counter("zhiku_published_rows", "Rows written to the index", ["change"], registry=registry)
epoch = Gauge("zhiku_epoch", "The committed epoch", registry=registry)
jobs = Gauge("zhiku_jobs", "Jobs by state", ["state"], registry=registry)


def exposition() -> bytes:
    """Every metric in Prometheus' text format."""
    return generate_latest(registry)
