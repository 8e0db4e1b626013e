"""Nothing that somebody may not read is ever shown, by any path, at any moment: random worlds, moves and questions.

The trial is in `leak_trial/`; `tests/benchmarks/bench_leaks.py` runs it a million decisions long. A seed of your own:
`ZHIKU_TEST_LEAK_SEED=7 pytest tests/security/test_leak_trial.py`.
"""

import os
import random
from pathlib import Path

from kbcore.metadata.database import Database
from tests.security.leak_trial.driver import Size, prepared
from tests.security.leak_trial.report import table

SMALL = Size(people=14, groups=6, spaces=4, documents=24, steps=20, probes=3, storm_s=5)


def test_nothing_leaks_and_nothing_is_wrongly_hidden(
    tmp_path: Path, database: Database, postgres_url: str, redis_url: str
) -> None:
    seed = int(os.environ.get("ZHIKU_TEST_LEAK_SEED") or random.randrange(1_000_000))
    with prepared(seed, SMALL, tmp_path, database, postgres_url, redis_url) as trial:
        trial.run()
    print(table(trial))
    faults = trial.judge.faults
    assert not faults, f"seed {seed}: {len(faults)} faults\n" + "\n".join(faults[:5])
    tallies = trial.judge.by_path.values()
    assert sum(tally.decisions for tally in tallies) > 10_000
    assert trial.refused < trial.moved / 4  # the world did move
