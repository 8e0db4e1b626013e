"""The figures of stock that monitoring shows, read from SQL."""

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata import anomaly_stream, ledger
from kbcore.metadata.audit_export import CURSOR
from kbcore.metadata.audit_verify import VERIFIED
from kbcore.metadata.tables import audit_cursors, audit_head, epoch, erasures, generations, jobs, versions
from kbcore.observability import metrics


def measure(connection: Connection) -> None:
    """Set the gauges of stock from the tables."""
    by_kind = connection.execute(
        sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
    )
    by_state = connection.execute(sa.select(versions.c.state, sa.func.count()).group_by(versions.c.state))
    purged = sa.select(sa.func.count()).select_from(versions).where(versions.c.purged_at.is_not(None))
    done = sa.case((erasures.c.finished_at.is_(None), "pending"), else_="certified")
    by_done = connection.execute(sa.select(done, sa.func.count()).group_by(done))
    waits = sa.func.extract("epoch", sa.func.now() - sa.func.min(jobs.c.created_at))
    books = ledger.balance(connection)
    metrics.set_ledger(books.by_outcome, received=books.received, imbalance=books.imbalance)
    measure_audit(connection)
    metrics.set_stock(
        epoch_value=connection.execute(sa.select(epoch.c.value)).scalar() or 0,
        rows=connection.execute(sa.select(generations.c.rows).where(generations.c.state == "live")).scalar() or 0,
        jobs_by_kind_and_state={(kind, state): count for kind, state, count in by_kind},
        versions_by_state=dict(by_state.all()),
        versions_purged=connection.execute(purged).scalar_one(),
        erasures_by_state=dict(by_done.all()),
        anomalies_by_rule=anomaly_stream.findings_by_rule(connection),
        oldest_queued_s=float(connection.execute(sa.select(waits).where(jobs.c.state == "queued")).scalar() or 0.0),
    )


def measure_audit(connection: Connection) -> None:
    """Set the gauges of the audit log."""
    age = sa.func.extract("epoch", sa.func.now() - audit_cursors.c.updated_at)
    ages = {name: float(seconds) for name, seconds in connection.execute(sa.select(audit_cursors.c.name, age))}
    metrics.set_audit(
        records=connection.execute(sa.select(audit_head.c.seq)).scalar() or 0,
        head_age_s=ages.get(CURSOR),
        verified_age_s=ages.get(VERIFIED),
    )
