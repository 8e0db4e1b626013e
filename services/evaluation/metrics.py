"""How good rankings are, and whether the difference of two could be chance."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

SEED = 20_070_811
RESAMPLES = 10_000
_EXACT = 13  # 2**13 < RESAMPLES: so few differences have every assignment of signs counted
_MEASURES = {"ndcg_10": nDCG @ 10, "recall_5": R @ 5, "recall_10": R @ 10, "mrr": RR}


@dataclass(frozen=True, slots=True)
class Figures:
    """Quality of one ranking, or the means of many; each 0 to 1, higher is better.

    nDCG@10 with binary relevance (Järvelin and Kekäläinen 2002), the share of the relevant documents among the first 5
    and 10, and one over the rank of the first relevant one (its mean is MRR).
    """

    ndcg_10: float
    recall_5: float
    recall_10: float
    mrr: float


def figures_of(relevant: Mapping[str, Collection[str]], ranked: Mapping[str, Sequence[str]]) -> dict[str, Figures]:
    """The figures of each question of `relevant`; document ids in `ranked` stand best first, each once."""
    judged = [ir_measures.Qrel(key, document, 1) for key, documents in relevant.items() for document in documents]
    run = [
        ir_measures.ScoredDoc(key, document, -float(place))
        for key, documents in ranked.items()
        for place, document in enumerate(documents)
    ]
    found: dict[str, dict[str, float]] = {key: dict.fromkeys(_MEASURES, 0.0) for key in relevant}
    names = {measure: name for name, measure in _MEASURES.items()}
    for item in ir_measures.iter_calc(list(names), judged, run):
        found[item.query_id][names[item.measure]] = float(item.value)
    return {key: Figures(**values) for key, values in found.items()}


def mean(figures: Iterable[Figures]) -> Figures:
    """The mean of each figure; zeros if there are none."""
    rows = list(figures)
    return Figures(**{name: fmean(getattr(row, name) for row in rows) if rows else 0.0 for name in _MEASURES})


def sign_flip_p(differences: Sequence[float]) -> float:
    """The two-sided p-value of paired differences: how often chance signs give a mean at least as far from 0.

    The paired randomization test that Smucker, Allan and Carterette (CIKM 2007) recommend for retrieval. Exact for up
    to 13 differences that are not 0, else from 10,000 draws with a fixed seed, (b + 1) / (n + 1).
    """
    values = np.array([value for value in differences if value], dtype=np.float64)  # zeros add nothing, whatever sign
    if not values.size:
        return 1.0
    observed = abs(values.sum()) - 1e-9  # sums of the same numbers in another order may differ by rounding
    if values.size <= _EXACT:
        bits = np.arange(2**values.size)[:, None] >> np.arange(values.size) & 1
        return float(np.mean(np.abs((1 - 2 * bits) @ values) >= observed))
    signs = np.random.default_rng(SEED).choice((-1.0, 1.0), size=(RESAMPLES, values.size))
    return float((np.count_nonzero(np.abs(signs @ values) >= observed) + 1) / (RESAMPLES + 1))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of `values` lies, interpolated; 0 if there are none."""
    return float(np.quantile(values, share)) if values else 0.0
