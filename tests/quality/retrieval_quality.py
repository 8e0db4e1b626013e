"""Retrieval quality of each leg and of ways to fuse them, on public sets in Chinese, traditional Chinese and English.

    python -m tests.quality.retrieval_quality [--data ../shared/data] [--cache DIR] [--sets stard,scifact]

Embeds about 5,000 passages the first time (minutes on two cores). Prints nDCG@10, recall@10 and MRR of ir-measures.
The candidates are what the product sees: the best 50 of each leg, with exact scores of both. ADRs 0006 and 0007 quote
what this prints.
"""

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from kbcore.embedding.interface import Matrix
from kbcore.language.analyzer import terms
from kbcore.language.weights import coverage, document_weights, query_weights, term_id
from services.query.fuse import fuse
from tests.quality.retrieval_corpora import REPORTED_ON, SETS, TUNED_ON, RetrievalSet, load
from tests.quality.retrieval_vectors import embedded

CANDIDATES = 50
MEASURES = (nDCG @ 10, R @ 10, RR @ 10)

Scores = Mapping[str, float]
Method = Callable[[Scores, Scores], Scores]


def dense_only(dense: Scores, keyword: Scores) -> Scores:
    """The cosine."""
    return dense


def keyword_only(dense: Scores, keyword: Scores) -> Scores:
    """The coverage."""
    return {key: score for key, score in keyword.items() if score > 0}


def reciprocal_ranks(dense: Scores, keyword: Scores) -> Scores:
    """Reciprocal rank fusion with k = 60 (Cormack et al. 2009)."""
    fused: dict[str, float] = defaultdict(float)
    for leg in (dense_only(dense, keyword), keyword_only(dense, keyword)):
        for rank, key in enumerate(sorted(leg, key=lambda each: -leg[each])[:CANDIDATES], start=1):
            fused[key] += 1 / (60 + rank)
    return fused


def min_max(weight: float, power: float) -> Method:
    """Cosines stretched to [0, 1] over the candidates, plus weighted coverage."""

    def fused(dense: Scores, keyword: Scores) -> Scores:
        low, high = min(dense.values()), max(dense.values())
        return {
            key: (cosine - low) / ((high - low) or 1.0) + weight * keyword[key] ** power
            for key, cosine in dense.items()
        }

    return fused


def noisy_or(weight: float, power: float = 1.0) -> Method:
    """The product's fusion."""
    return lambda dense, keyword: dict(fuse(dense, keyword, keyword_weight=weight, keyword_power=power))


METHODS: Mapping[str, Method] = {
    "dense": dense_only,
    "keyword": keyword_only,
    "RRF": reciprocal_ranks,
    "min-max + 0.6 cov²": min_max(0.6, 2.0),
    "min-max + cov": min_max(1.0, 1.0),
    "noisy or 0.4": noisy_or(0.4),
    "noisy or 0.6": noisy_or(0.6),
    "noisy or 0.8": noisy_or(0.8),
    "noisy or 1.0, cov²": noisy_or(1.0, 2.0),
}


def keyword_scores(chosen: RetrievalSet) -> Matrix:
    """The coverage of every question by every passage, float32[questions, passages]."""
    passages = [document_weights(terms(text)) for text in chosen.passages.values()]
    counts = Counter(term for passage in passages for term in passage)
    scores = np.zeros((len(chosen.questions), len(passages)), np.float32)
    for row, question in enumerate(chosen.questions.values()):
        asked = terms(question)
        rows_with_term = {term_id(term): counts[term_id(term)] for term in asked}
        weights = query_weights(asked, rows_with_term, len(passages))
        scores[row] = [coverage(weights, passage) for passage in passages]
    return scores


def measure(chosen: RetrievalSet, dense: Matrix, keyword: Matrix, method: Method) -> dict[str, float]:
    """The measures of one method over all questions."""
    keys = list(chosen.passages)
    run: dict[str, dict[str, float]] = {}
    for row, question in enumerate(chosen.questions):
        best = {*np.argsort(-dense[row])[:CANDIDATES], *np.argsort(-keyword[row])[:CANDIDATES]}
        cosines = {keys[index]: float(dense[row, index]) for index in best}
        coverages = {keys[index]: float(keyword[row, index]) for index in best}
        run[question] = dict(method(cosines, coverages))
    judgements = {question: dict.fromkeys(gold, 1) for question, gold in chosen.relevant.items()}
    found = ir_measures.calc_aggregate(MEASURES, judgements, run)
    return {str(name): float(value) for name, value in found.items()}


def main() -> None:
    """Print one table per measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "zhiku-quality")
    parser.add_argument("--sets", default=",".join(TUNED_ON + REPORTED_ON))
    arguments = parser.parse_args()
    names = [name for name in arguments.sets.split(",") if name in SETS]
    results: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    for name in names:
        chosen = load(name, arguments.data)
        passages, questions = embedded(chosen, arguments.cache)
        dense, keyword = questions @ passages.T, keyword_scores(chosen)
        for method, compute in METHODS.items():
            results[method].append(measure(chosen, dense, keyword, compute))
    for measured in map(str, MEASURES):
        print(f"\n{measured:20}" + "".join(f"{name:>13}" for name in names) + f"{'mean':>9}")
        for method, figures in results.items():
            values = [each[measured] for each in figures]
            print(f"{method:20}" + "".join(f"{value:13.3f}" for value in values) + f"{np.mean(values):9.4f}")


if __name__ == "__main__":
    main()
