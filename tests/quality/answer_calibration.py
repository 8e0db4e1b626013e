"""How well can evidence tell answerable questions from unanswerable ones? Prints the tables behind `[answer] min_…`.

    python -m tests.quality.answer_calibration DATA CACHE

Every retrieval set becomes a refusal set: half of its passages (by hash) are taken away, so questions whose gold
passages are all gone have no answer in the corpus while everything else about them stays the same. Two gates are
judged: `passage`, the evidence of the best passages as `services/query/abstain.py` weighs it, known before a model is
asked; and `quote`, the evidence of the extractive model's best sentence.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.neutral import LanguageNeutralEmbedder, e5_language_axis, without
from kbcore.language.analyzer import terms
from kbcore.language.subject import unheld
from kbcore.language.weights import coverage, document_weights, query_weights
from kbcore.llm.extractive import ExtractiveModel
from kbcore.llm.interface import Source
from kbcore.settings import load_settings
from tests.quality.retrieval_corpora import RetrievalSet, load
from tests.quality.retrieval_vectors import embedded

TUNED_ON = ("xquad-zh", "cmrc", "stard", "xquad-en", "scifact")
REPORTED_ON = ("drcd", "policyqa", "xquad-en→zh")
QUESTIONS = 150
ANSWER = load_settings({}).answer
PASSAGES = 8
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Evidence for each question, float[n] by name; `answerable` is bool[n]."""

    name: str
    language: str
    evidence: Mapping[str, Scores]
    answerable: NDArray[np.bool_]


def judge(name: str, data: Path, cache: Path, model: BundledEmbedder) -> Judged:
    """Ask a set's questions of the kept half of its passages."""
    chosen, axis = load(name, data), e5_language_axis()
    passages, questions = (without(axis, vectors) for vectors in embedded(chosen, cache, model))
    extractive = ExtractiveModel(LanguageNeutralEmbedder(model, axis), max_quotes=3)
    kept = [index for index, key in enumerate(chosen.passages) if kept_back(name, key)]
    texts = [list(chosen.passages.values())[index] for index in kept]
    weights = [document_weights(terms(text)) for text in texts]
    rows = Counter(term for each in weights for term in each)
    evidence: dict[str, list[float]] = {"cosine": [], "passage": [], "quote": []}
    asked = list(chosen.questions.items())[:QUESTIONS]
    for row, (_, question) in zip(questions @ passages[kept].T, asked, strict=False):
        wanted = query_weights(list(dict.fromkeys(terms(question))), rows, len(texts))
        covered = {index: coverage(wanted, weights[index]) for index in np.argsort(-row)[:50]}
        spread = float(np.ptp(row[list(covered)]))
        top = sorted(covered, key=lambda at: -(row[at] + spread * 0.6 * covered[at] ** 2))[:PASSAGES]
        sources = [
            Source(number, "", texts[at], (), float(row[at]), chosen.language[:2]) for number, at in enumerate(top, 1)
        ]
        quotes = extractive.rank(question, sources)
        evidence["cosine"].append(float(row.max()))
        covering = ANSWER.coverage_weight * max(covered[at] for at in top)
        lacking = ANSWER.missing_weight * unheld(question, [texts[at] for at in top])
        evidence["passage"].append(float(row[top].max()) + covering - lacking)
        evidence["quote"].append(quotes[0].evidence if quotes else 0.0)
    answerable = _answerable(chosen, {list(chosen.passages)[index] for index in kept})[: len(asked)]
    return Judged(name, chosen.language[:2], {key: np.array(each) for key, each in evidence.items()}, answerable)


def auc(scores: Scores, positive: NDArray[np.bool_]) -> float:
    """The chance that an answerable question scores higher than an unanswerable one."""
    yes, no = scores[positive][:, None], scores[~positive][None]
    return float((yes > no).mean() + 0.5 * (yes == no).mean())


def main(data: Path, cache: Path) -> None:
    """Print the tables."""
    model = BundledEmbedder()
    judged = {}
    for name in (*TUNED_ON, *REPORTED_ON):
        each = judged[name] = judge(name, data, cache, model)
        areas = "  ".join(f"{key} {auc(scores, each.answerable):.3f}" for key, scores in each.evidence.items())
        print(f"{name} ({each.answerable.sum()} / {(~each.answerable).sum()}) AUC: {areas}", flush=True)
    for language in ("zh", "en"):
        tuned = [judged[name] for name in TUNED_ON if judged[name].language == language]
        for keep in (0.99, 0.98, 0.97, 0.95, 0.9):
            limits = {gate: _threshold(tuned, gate, keep) for gate in ("passage", "quote")}
            stated = ", ".join(f"{gate} {limit:.3f}" for gate, limit in limits.items())
            print(f"{language} keep {keep:.2f} each: {stated}; kept/refused by both:", end="")
            for each in judged.values():
                if each.language == language:
                    passed = np.all([each.evidence[gate] >= limit for gate, limit in limits.items()], axis=0)
                    print(
                        f"  {each.name} {passed[each.answerable].mean():.2f}/{(~passed[~each.answerable]).mean():.2f}",
                        end="",
                    )
            print()
    across = judged["xquad-en→zh"]
    for keep in (0.98, 0.95, 0.9):
        limit = float(np.quantile(across.evidence["cosine"][across.answerable], 1 - keep))
        refused = (across.evidence["cosine"][~across.answerable] < limit).mean()
        print(f"across languages keep {keep}: cosine {limit:.3f} refuses {refused:.2f}")


def _threshold(sets: Sequence[Judged], gate: str, keep: float) -> float:
    """What keeps this share of the answerable questions, sets counted equally."""
    return float(np.mean([np.quantile(each.evidence[gate][each.answerable], 1 - keep) for each in sets]))


def kept_back(name: str, key: str) -> bool:
    return hashlib.sha256(f"{name} {key}".encode()).digest()[0] % 2 == 0


def _answerable(chosen: RetrievalSet, kept: set[str]) -> NDArray[np.bool_]:
    return np.array([bool(chosen.relevant[question] & kept) for question in chosen.questions])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
