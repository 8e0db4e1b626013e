"""What tells a question with an answer from one without, before any model is asked: the figures behind decision 0033.

    python -m tests.quality.answer_refusals DATA CACHE

Three kinds of questions: the public sets with the passages that come with them; retrieval sets of which half of the
passages are taken away; the sample company's questions and those that it nearly answers (`near_misses`), also with a
glossary, on the real path. Half of all questions (by hash) are for choosing weights and thresholds; the other half is
reported. For each set: the area under the curve of the evidence, and the share of answerable questions kept and of
unanswerable ones refused, by the gate before every model and by both gates of the default.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from kbcore.language.script import detect_language
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import AnswerRequest
from kbcore.settings import AnswerSettings
from services.query.abstain import evidence
from services.query.assemble import assemble
from tests.quality.answer_bench import Bench
from tests.quality.answer_calibration import auc
from tests.quality.refusal_sets import Asked, company, halved, public


@dataclass(frozen=True, slots=True)
class Seen:
    """The evidence, whether the first gate lets it through, and whether both do."""

    score: float
    across: bool
    first: bool
    both: bool


def main(data: Path, cache: Path) -> None:
    """Print a line for each set."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    bench = Bench()
    seen: dict[tuple[str, bool, bool], list[Seen]] = defaultdict(list)
    for asked in (*public(bench, data), *halved(bench, data, cache), *company()):
        if asked.ranked:
            reported = hashlib.sha256(asked.question.encode()).digest()[0] % 2 == 1
            seen[asked.group, reported, asked.answerable].append(see(asked, bench.extractive, bench.settings.answer))
    for reported in (False, True):
        print("reported half" if reported else "half for choosing")
        for group in dict.fromkeys(key[0] for key in seen):
            print(f"  {group:12} {_line(seen[group, reported, True], seen[group, reported, False])}")


def see(asked: Asked, extractive: ExtractiveModel, settings: AnswerSettings) -> Seen:
    """Both gates on one question."""
    found = evidence(asked.question, asked.ranked, settings, asked.searched)
    first = found.enough(settings)
    request = AnswerRequest(
        asked.question, detect_language(asked.question), assemble(asked.ranked), searched=asked.searched
    )
    quotes = any("“" in part.text for part in extractive.answer(request)) if first else False
    return Seen(found.score, found.across, first, quotes)


def _line(yes: Sequence[Seen], no: Sequence[Seen]) -> str:
    same = [([each.score for each in part if not each.across]) for part in (yes, no)]
    scores = np.array([*same[0], *same[1]])
    area = auc(scores, np.arange(len(scores)) < len(same[0])) if all(same) else float("nan")
    kept = [sum(getattr(each, gate) for each in yes) for gate in ("first", "both")]
    refused = [sum(not getattr(each, gate) for each in no) for gate in ("first", "both")]
    return (
        f"AUC {area:.3f}; first gate kept {kept[0]}/{len(yes)} refused {refused[0]}/{len(no)}; "
        f"both kept {kept[1]}/{len(yes)} refused {refused[1]}/{len(no)}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
