"""Exact: both legs computed over every row that may be seen, instead of asking the index (ADR 0024)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kbcore.language.weights import packed_coverages
from kbcore.metadata.visible_rows import VisibleRows
from kbcore.vectors.interface import Vector, VectorHit


def nearest(rows: VisibleRows, query: Vector, limit: int) -> list[VectorHit]:
    """What `VectorStore.search_dense` promises, without its approximation."""
    if not len(rows.embedded_ids):
        return []
    return _best(rows.embedded_ids, rows.vectors @ query, limit)


def covering(rows: VisibleRows, terms: Mapping[int, float], limit: int) -> list[VectorHit]:
    """What `VectorStore.search_sparse` promises."""
    scores = packed_coverages(terms, rows.terms, rows.sizes)
    return [hit for hit in _best(rows.ids, scores, limit) if hit.score > 0]


def _best(ids: Sequence[str], scores: NDArray[np.floating], limit: int) -> list[VectorHit]:
    """Equal scores in the order of ids, which is the order of the rows."""
    order = np.argsort(-scores, kind="stable")[:limit]
    return [VectorHit(ids[place], float(scores[place])) for place in order.tolist()]
