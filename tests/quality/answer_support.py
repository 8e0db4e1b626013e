"""What does verification let through: of true statements, and of the same with something exchanged?

    python -m tests.quality.answer_support DATA [tuning | reported [kind …]]

Counts, for each set and kind of statement, how many are shown. Paragraphs are parted by hash into a half that rules and
thresholds were chosen on and one that is only reported; what was written by hand is all tuning. Of the kinds named,
what was judged wrongly is printed.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from kbcore.domain.chunk import Passage
from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis
from services.query.support import find_evidence
from tests.quality.answer_bench import passage
from tests.quality.falsehoods import Said
from tests.quality.support_cases import every


def main(data: Path, half: str, kinds: Sequence[str]) -> None:
    """Print a line for each set and kind."""
    for name, said in every(data).items():
        chosen = [s for s in said if "hand" in name or s.tuning == (half == "tuning")]
        shown: Counter[tuple[bool, str]] = Counter()
        for each in chosen:
            ok = is_shown(each)
            shown[not each.true, each.kind] += ok
            if each.kind in kinds and ok != each.true:
                print("   ", "SHOWN  " if ok else "DROPPED", each.text, "|", each.question)
        whole = Counter((not each.true, each.kind) for each in chosen)
        for key in sorted(whole):
            label = "true " if not key[0] else "false"
            print(f"{name:11} {label} {key[1]:17} shown {shown[key] / whole[key]:4.0%} ({shown[key]}/{whole[key]})")


def is_shown(said: Said) -> bool:
    """Whether some passage supports the statement."""
    return any(find_evidence(said.text, p, said.question, similarity) for p in _passages(said))


def _passages(said: Said) -> list[Passage]:
    return [replace(passage(text, place), title=said.title) for place, text in enumerate(said.passages)]


def similarity(statement: str, candidates: Sequence[str]) -> list[float]:
    """Cosines by the default embedding model."""
    vectors = _embedder().embed_passages([statement, *candidates])
    return [float(value) for value in vectors[1:] @ vectors[0]]


@cache
def _embedder() -> LanguageNeutralEmbedder:
    return LanguageNeutralEmbedder(BundledEmbedder(), e5_language_axis())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "reported", sys.argv[3:])
