"""What rights cost in SQL in a large organisation, statement by statement, and how that grows.

    python -m tests.benchmarks.bench_rights

50,000 users, 4,000 groups, 100,000 documents of one passage each; the asker in 10 to 2,000 groups, a tenth of them by
itself, and 100 to 10,000 policies. The question's twelve words stand under every policy and level, which is the worst.
Prints p50 in milliseconds over an open connection. Nothing is asserted.
"""

import statistics
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata import documents, passages
from kbcore.metadata.access import read_scope, resolve_caller
from kbcore.metadata.standpoint import Narrowing, take_standpoint
from services.auth.api_keys import issue_key
from services.auth.authenticate import Sent, authenticate
from services.auth.watch import Watch
from tests.benchmarks.rights_workload import ASKER, TERMS, Organisation, fill
from tests.servers.embedded import embedded_platform

ROUNDS = 15
SIZES = (
    Organisation(policies=100, asker_groups=2000),
    Organisation(policies=1000, asker_groups=2000),
    Organisation(policies=10_000, asker_groups=10),
    Organisation(policies=10_000, asker_groups=200),
    Organisation(policies=10_000, asker_groups=2000),
)


def p50_ms(call: Callable[[], object]) -> float:
    """The median time of `ROUNDS` calls after one that warms up, in ms."""
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def calls(connection: Connection, caller: Caller) -> dict[str, Callable[[], object]]:
    """What each request runs, by name."""
    standpoint = take_standpoint(connection, caller, Narrowing(), range(1, TERMS + 1))
    index = standpoint.index
    assert index is not None
    readable = connection.execute(
        sa.text("SELECT id FROM chunks WHERE policy_id = ANY(:ids) AND level <= 2 ORDER BY md5(id) LIMIT 100"),
        {"ids": list(standpoint.scope.policy_ids)},
    )
    hits = list(readable.scalars())
    space = connection.execute(
        sa.text("""
            SELECT s.name FROM spaces s JOIN documents d ON d.space_id = s.id JOIN chunks c ON c.document_id = d.id
            WHERE c.id = :hit
        """),
        {"hit": hits[0]},
    ).scalar_one()
    print(f"    {len(standpoint.scope.policy_ids)} policies and {standpoint.rows} passages may be read")
    return {
        "resolve": lambda: read_scope(connection, caller),
        "standpoint, no terms": lambda: take_standpoint(connection, caller, Narrowing(), []),
        f"standpoint, {TERMS} terms": lambda: take_standpoint(connection, caller, Narrowing(), range(1, TERMS + 1)),
        "standpoint, in a space": lambda: take_standpoint(connection, caller, Narrowing(spaces=(space,)), []),
        "check of 100 hits": lambda: passages.confirm(connection, ASKER, hits, index=index, standpoint=standpoint),
        "one document": lambda: documents.get_readable(connection, ASKER, "d00000002"),
        "page of 50 documents": lambda: documents.list_readable(connection, ASKER, limit=50),
        "page that finds nothing": lambda: documents.list_readable(connection, ASKER, q="no such title", limit=50),
    }


def measure(platform: Platform, size: Organisation) -> None:
    """One organisation: a line for each statement."""
    database, watch = platform.database, Watch(platform)
    print(f"{size.policies} policies, the asker in {size.asker_groups} groups", flush=True)
    with database.begin() as connection:
        fill(connection, size)
        token = issue_key(connection, user_id=ASKER, name="bench").token
        caller = resolve_caller(connection, ASKER)
    assert caller is not None
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))  # as autovacuum does within a minute
    sent = Sent(f"Bearer {token}")
    print(f"    {'authenticate':24} {p50_ms(lambda: authenticate(platform, watch, sent)):8.1f} ms")
    with database.statement() as connection:
        for name, call in calls(connection, caller).items():
            print(f"    {name:24} {p50_ms(call):8.1f} ms", flush=True)


def main() -> None:
    """Every size."""
    with embedded_platform() as platform:
        for size in SIZES:
            measure(platform, size)


if __name__ == "__main__":
    main()
