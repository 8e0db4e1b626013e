"""A real organisation, whole: 1,260 people, their nested groups, all papers, and what people find of them.

    ZHIKU_DATA=… python -m tests.benchmarks.bench_organisation [people] [questions]

Milvus Lite, PostgreSQL and HTTP are real, and so is the model for questions; passages have random vectors, for
embedding them takes ten minutes and who may read them does not depend on it. Prints people, groups, policies,
documents, decisions, leaks, papers wrongly hidden, and the time of a search.
"""

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from kbcore.observability.logging import configure_logging
from tests.benchmarks.bench_search import RandomPassages
from tests.builders import Corpus
from tests.security.enterprise.installed import install
from tests.security.enterprise.organisation import read_organisation
from tests.security.enterprise.trial import try_people
from tests.servers.application import serving
from tests.servers.embedded import embedded_platform

_COUNTS = sa.text("""
    SELECT (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM groups) AS groups,
        (SELECT count(*) FROM group_members) AS memberships, (SELECT count(*) FROM policies) AS policies,
        (SELECT count(*) FROM policy_entries) AS entries, (SELECT count(*) FROM documents) AS documents,
        (SELECT count(*) FROM chunks) AS passages
""")


def main(data: Path, people: int, questions: int) -> None:
    """Load, ask, judge, print."""
    with embedded_platform() as platform:
        platform.__dict__["embedder"] = RandomPassages()
        begun = time.monotonic()
        company = install(read_organisation(data), Corpus.open(platform))
        with platform.database.begin() as connection:
            counts = connection.execute(_COUNTS).one()._asdict()
        print(f"loaded in {time.monotonic() - begun:.0f} s:", ", ".join(f"{n:,} {name}" for name, n in counts.items()))
        with serving(platform) as url:
            found = try_people(company, url, random.Random(1), people=people, questions=questions)
    p50, p95 = np.percentile(found.milliseconds, [50, 95])
    print(
        f"{found.people} people, {found.queries:,} questions, {found.passages:,} passages shown, "
        f"{found.decisions:,} decisions, {len(found.leaks)} leaks, {len(found.hidden)} wrongly hidden; "
        f"a search took {p50:.1f} ms (p50), {p95:.1f} ms (p95)"
    )
    print("\n".join((found.leaks + found.hidden)[:20]))


if __name__ == "__main__":
    configure_logging("ERROR")
    main(
        Path(os.environ["ZHIKU_DATA"]),
        int(sys.argv[1]) if len(sys.argv) > 1 else 200,
        int(sys.argv[2]) if len(sys.argv) > 2 else 10,
    )
