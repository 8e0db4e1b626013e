"""One order from two kinds of evidence (ADR 0007)."""

from collections.abc import Mapping


def fuse(
    dense: Mapping[str, float], keyword: Mapping[str, float], *, keyword_weight: float, keyword_power: float
) -> list[tuple[str, float]]:
    """Candidates and their fused scores, best first; equal scores in the order of their keys.

    `dense` holds each candidate's cosine, `keyword` its coverage in [0, 1]; a candidate missing in one has 0 there.
    The score is the cosine plus `keyword_weight * coverage ** keyword_power`, in units of the candidates' own spread of
    cosines: models differ in how far apart they put good and bad passages, and their best-to-worst distance says it.
    """
    candidates = dense.keys() | keyword.keys()
    cosines = {key: dense.get(key, 0.0) for key in candidates}
    spread = max(cosines.values(), default=0.0) - min(cosines.values(), default=0.0)
    scores = {
        key: cosine + spread * keyword_weight * keyword.get(key, 0.0) ** keyword_power
        for key, cosine in cosines.items()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
