"""The leak trial at length: at least a million decisions by everybody on every path, over a lying index.

    python -m tests.benchmarks.bench_leaks [seed] [decisions]

Random worlds, one after another, are moved and asked until there are enough decisions; prints the figures, by path and
by kind of person, and the story of every fault. Real PostgreSQL, Redis and HTTP, all in this machine.
"""

import random
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from kbcore.observability.logging import configure_logging
from kbcore.settings import silence_telemetry
from services.supervisor.postgres import EmbeddedPostgres
from services.supervisor.redis import EmbeddedRedis
from services.supervisor.sockets import socket_folder
from tests.security.leak_trial.driver import Size, prepared
from tests.security.leak_trial.judge import Tally
from tests.security.leak_trial.report import rows
from tests.servers import running
from tests.servers.emptied import empty

LARGE = Size(people=60, groups=15, spaces=10, documents=80, steps=20, probes=3, storm_s=20, storm_threads=4)


def main(seed: int, wanted: int) -> None:
    """Trials until there are enough decisions; prints their figures together."""
    begun, done, faults = time.monotonic(), 0, list[str]()
    by_path: dict[str, Tally] = defaultdict(Tally)
    by_kind: dict[str, Tally] = defaultdict(Tally)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zhiku-leaks-")))
        postgres = EmbeddedPostgres(home / "postgres", socket_folder(home), durable=False)
        redis = EmbeddedRedis(home / "redis", socket_folder(home))
        stack.enter_context(running(postgres.prepare(), home / "postgres.log"))
        stack.enter_context(running(redis.prepare(), home / "redis.log"))
        database = Database(postgres.url, pool_size=10)
        upgrade(database)
        while done < wanted:
            empty(database)
            with prepared(seed, LARGE, home / str(seed), database, postgres.url, redis.url) as trial:
                trial.run()
            for merged, found in ((by_path, trial.judge.by_path), (by_kind, trial.judge.by_kind)):
                for name, tally in found.items():
                    merged[name].add(tally)
            faults += trial.judge.faults
            done = sum(tally.decisions for tally in by_path.values())
            spent = time.monotonic() - begun
            print(
                f"seed {seed}: {trial.moved} moves ({trial.refused} refused), {len(trial.world.documents)} documents; "
                f"{done:,} decisions after {spent:.0f} s, {len(faults)} faults",
                flush=True,
            )
            seed += 1
        database.dispose()
    print("\n".join(faults[:20]))
    print(rows("path", by_path), rows("kind of person", by_kind), sep="\n\n")


if __name__ == "__main__":
    silence_telemetry()
    configure_logging("ERROR")
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1_000_000),
        int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000,
    )
