"""Rank: one order out of the exact scores of both legs, after the check."""

from collections.abc import Mapping

from kbcore.domain.chunk import Passage
from kbcore.settings import RetrievalSettings
from services.query.found import Ranked
from services.query.fuse import fuse
from services.query.request import Mode


def rank(
    passages: list[Passage],
    dense: Mapping[str, float],
    keyword: Mapping[str, float],
    mode: Mode,
    settings: RetrievalSettings,
) -> list[Ranked]:
    """Best first; equal scores keep the order of chunk ids, so that the same search answers the same."""
    if mode is Mode.DENSE:
        scored = sorted(dense.items(), key=lambda item: (-item[1], item[0]))
    elif mode is Mode.KEYWORD:
        hits = ((key, score) for key, score in keyword.items() if score > 0)
        scored = sorted(hits, key=lambda item: (-item[1], item[0]))
    else:
        floor = min(dense.values(), default=0.0)  # for a passage whose vector SQL does not have
        scored = fuse(
            {passage.chunk_id: dense.get(passage.chunk_id, floor) for passage in passages},
            keyword,
            keyword_weight=settings.keyword_weight,
            keyword_power=settings.keyword_power,
        )
    by_id = {passage.chunk_id: passage for passage in passages}
    return [Ranked(by_id[key], score, dense.get(key), keyword.get(key)) for key, score in scored]
