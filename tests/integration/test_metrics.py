"""/metrics: what docs/metrics.md lists, with the numbers that SQL holds."""

import re
from pathlib import Path

import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from kbcore.metadata.database import Database
from kbcore.metadata.stock import measure
from kbcore.metadata.tables import epoch, jobs
from kbcore.observability import metrics

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_the_page_lists_every_metric_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(zhiku_\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    families = text_string_to_metric_families(metrics.exposition().decode())
    exposed = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert documented == exposed


def test_stock_is_what_sql_holds(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(epoch).values(value=7))
        for number, state in enumerate(["queued", "queued", "failed"]):
            connection.execute(jobs.insert().values(id=f"j{number}", kind="ingest", state=state, created_by="u"))
        measure(connection)
    assert metrics.registry.get_sample_value("zhiku_epoch") == 7
    assert metrics.registry.get_sample_value("zhiku_jobs", {"kind": "ingest", "state": "queued"}) == 2
    waited = metrics.registry.get_sample_value("zhiku_oldest_queued_job_seconds")
    assert waited is not None
    assert waited >= 0


def test_states_that_no_longer_exist_disappear(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(jobs.insert().values(id="j", kind="ingest", state="queued", created_by="u"))
        measure(connection)
        connection.execute(jobs.delete())
        measure(connection)
    assert metrics.registry.get_sample_value("zhiku_jobs", {"kind": "ingest", "state": "queued"}) is None
    assert metrics.registry.get_sample_value("zhiku_oldest_queued_job_seconds") == 0
