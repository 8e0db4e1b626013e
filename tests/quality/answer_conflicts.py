"""How often are passages called contradictory that are not? And how often are contradictions found?

    python -m tests.quality.answer_conflicts DATA [questions]

False alarms: answerable questions of public sets, with the passages that come with them, which do not contradict each
other; every alarm is printed, to be judged by eye. Found: FITZ-Gov's disputes. Pairs in both languages that do and do
not contradict each other are in `tests/unit/test_conflicts.py`.
"""

import os
import sys
from pathlib import Path

import structlog

from services.demo.manifest import manifest
from services.query.conflicts import find_conflict
from tests.builders import Corpus
from tests.quality.answer_bench import Bench
from tests.quality.answer_samples import final, settle
from tests.quality.answer_sets import ANSWER_SETS, Case, fitz_cases
from tests.servers.embedded import embedded_platform

NAMES = ("nomiracl-zh", "nomiracl-en", "mtrag", "stard")


def main(data: Path, size: int) -> None:
    """Print alarms and counts."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
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
    print("sample company, alarms of answers:", _samples())
    disputes = [Case(q, "en", texts, True) for q, texts in fitz_cases(data, "dispute")]
    seen = sum(find_conflict(case.question, bench.ranked(case)) is not None for case in disputes)
    print(f"FITZ-Gov disputes found: {seen} of {len(disputes)}")


def _samples() -> str:
    """The sample company's questions, asked by each of its people on the real path."""
    sample = manifest()
    with embedded_platform() as platform:
        corpus = Corpus.open(platform)
        people = settle(corpus, sample)
        answers = [final(corpus, caller, each.text) for each in sample.questions for caller in people.values()]
    return f"{sum(each.conflict is not None for each in answers)} of {len(answers)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40)
