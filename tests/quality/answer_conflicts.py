"""How often are passages called contradictory that are not? And how often are contradictions found?

    python -m tests.quality.answer_conflicts DATA [questions]

False alarms: answerable questions of public sets, with the passages that come with them, which do not contradict each
other; every alarm is printed, to be judged by eye. Found: FITZ-Gov's disputes. Pairs in both languages that do and do
not contradict each other are in `tests/unit/test_conflicts.py`.
"""

import os
import sys
from pathlib import Path

from services.query.conflicts import find_conflict
from tests.quality.answer_bench import Bench
from tests.quality.answer_sets import ANSWER_SETS, Case, fitz_cases

NAMES = ("nomiracl-zh", "nomiracl-en", "mtrag", "stard")


def main(data: Path, size: int) -> None:
    """Print alarms and counts."""
    bench = Bench()
    print("load", *(f"{value:.1f}" for value in os.getloadavg()))
    alarms = count = 0
    for name in NAMES:
        load, _ = ANSWER_SETS[name]
        cases = [case for case in load(data, size) if case.answerable and len(case.passages) > 1]
        for case in cases:
            count += 1
            found = find_conflict(case.question, bench.ranked(case))
            if found is not None:
                alarms += 1
                print(f"  {name} {found.kind}: {case.question!r}: {found.sides[0].quote!r} / {found.sides[1].quote!r}")
        print(f"{name}: {len(cases)} questions", flush=True)
    print(f"alarms: {alarms} of {count}")
    disputes = [Case(q, "en", texts, True) for q, texts in fitz_cases(data, "dispute")]
    found = sum(find_conflict(case.question, bench.ranked(case)) is not None for case in disputes)
    print(f"FITZ-Gov disputes found: {found} of {len(disputes)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40)
