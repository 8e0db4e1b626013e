"""How well can evidence tell answerable questions from unanswerable ones? Prints the table behind `answer.min_score_*`.

    python -m tests.quality.answer_calibration DATA CACHE

Every retrieval set becomes a refusal set: half of its passages (by hash) are taken away, so questions whose gold
passages are all gone have no answer in the corpus while everything else about them stays the same. Features are what
the question path knows before a model is asked: the best cosine, and the share of the question's IDF that the best
passages cover.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbcore.language.analyzer import terms
from kbcore.language.weights import coverage, document_weights, query_weights, term_id
from tests.quality.retrieval_corpora import RetrievalSet, load
from tests.quality.retrieval_vectors import embedded

TUNED_ON = ("stard", "xquad-zh", "cmrc", "scifact", "xquad-en")
REPORTED_ON = ("drcd", "policyqa")
WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Evidence of each question: `cosine` and `covered` are float[n]; `answerable` is bool[n]."""

    name: str
    language: str
    cosine: Scores
    covered: Scores
    answerable: NDArray[np.bool_]

    def score(self, weight: float) -> Scores:
        """The gate's score."""
        return self.cosine + weight * self.covered


def judge(name: str, data: Path, cache: Path) -> Judged:
    """Search every question of a set in the kept half of its passages."""
    chosen = load(name, data)
    passages, questions = embedded(chosen, cache)
    kept = [index for index, key in enumerate(chosen.passages) if _kept(name, key)]
    keys = [list(chosen.passages)[index] for index in kept]
    counted = [terms(chosen.passages[key]) for key in keys]
    weights = [document_weights(each) for each in counted]
    rows = Counter(term_id(term) for each in counted for term in set(each))
    cosines = questions @ passages[kept].T
    covered = []
    for row, question in zip(cosines, chosen.questions.values(), strict=True):
        asked = query_weights(list(dict.fromkeys(terms(question))), rows, len(keys))
        covered.append(max(coverage(asked, weights[index]) for index in np.argsort(-row)[:8]))
    return Judged(name, chosen.language[:2], cosines.max(axis=1), np.array(covered), _answerable(chosen, set(keys)))


def auc(scores: Scores, positive: NDArray[np.bool_]) -> float:
    """The chance that an answerable question scores higher than an unanswerable one."""
    yes, no = scores[positive][:, None], scores[~positive][None]
    return float((yes > no).mean() + 0.5 * (yes == no).mean())


def threshold_keeping(sets: Sequence[Judged], weight: float, share: float) -> float:
    """The threshold that keeps this share of the answerable questions, sets counted equally."""
    return float(np.mean([np.quantile(each.score(weight)[each.answerable], 1 - share) for each in sets]))


def main(data: Path, cache: Path) -> None:
    """Print the tables."""
    tuned = [judge(name, data, cache) for name in TUNED_ON]
    reported = [judge(name, data, cache) for name in REPORTED_ON]
    print("AUC by weight of the coverage".ljust(34), *(f"{weight:6.2f}" for weight in WEIGHTS))
    for each in [*tuned, *reported]:
        label = f"{each.name} ({each.answerable.sum()} / {(~each.answerable).sum()})"
        print(label.ljust(34), *(f"{auc(each.score(weight), each.answerable):6.3f}" for weight in WEIGHTS))
    for weight in WEIGHTS:
        for language in ("zh", "en"):
            for share in (0.97, 0.95, 0.9, 0.85):
                limit = threshold_keeping([each for each in tuned if each.language == language], weight, share)
                outcome = [
                    f"{each.name} {np.mean(s[each.answerable] >= limit):.2f}/{np.mean(s[~each.answerable] < limit):.2f}"
                    for each in [*tuned, *reported]
                    if each.language == language
                    for s in [each.score(weight)]
                ]
                print(f"{language} weight {weight:.2f} keep {share:.2f}: min_score {limit:.3f}; kept/refused", *outcome)


def _kept(name: str, key: str) -> bool:
    return hashlib.sha256(f"{name} {key}".encode()).digest()[0] % 2 == 0


def _answerable(chosen: RetrievalSet, kept: set[str]) -> NDArray[np.bool_]:
    return np.array([bool(chosen.relevant[question] & kept) for question in chosen.questions])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
