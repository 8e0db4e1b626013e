"""One order from two kinds of evidence (ADR 0007)."""

from collections.abc import Mapping


def fuse(
    dense: Mapping[str, float], keyword: Mapping[str, float], *, keyword_weight: float, keyword_power: float
) -> list[tuple[str, float]]:
    """Candidates and their scores, best first; equal scores in the order of their keys.

    `dense` holds each candidate's cosine, `keyword` its coverage in [0, 1]; a candidate missing in one has 0 there.
    The score is at most 1 and depends on the passage alone, not on what else was found:

        1 - (1 - cosine) * (1 - keyword_weight * coverage ** keyword_power)

    (a noisy or). Covering the question's terms closes a share of the distance that the model left: the keyword leg
    counts on the scale of the model's own distances, whatever that is. A passage with none of the terms, say in another
    language, keeps its cosine.
    """
    scores = {
        key: 1.0 - (1.0 - dense.get(key, 0.0)) * (1.0 - keyword_weight * keyword.get(key, 0.0) ** keyword_power)
        for key in dense.keys() | keyword.keys()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
