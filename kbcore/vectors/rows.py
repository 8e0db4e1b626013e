"""What every store demands of a row and of a query before it takes them."""

import math
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from kbcore.vectors.interface import Vector, VectorRow

MAX_KEY_LENGTH = 128
"""Longest chunk key, in characters (the VARCHAR length in Milvus)."""

MAX_TERM = 2**32 - 2
"""Largest term id: Milvus' sparse vectors have uint32 dimensions and reserve the last one."""

RESERVED_TERM = 0
"""A term id that no text has. Stored with a row without any term, for Milvus refuses empty sparse vectors."""

_KEY = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_KEY_LENGTH}}}")
_UNIT_TOLERANCE = 1e-3


def check_keys(chunk_ids: Collection[str]) -> None:
    """Raise `ValueError` unless every key is 1–128 characters of `[A-Za-z0-9_-]`."""
    for chunk_id in chunk_ids:
        if not _KEY.fullmatch(chunk_id):
            raise ValueError(f"not a chunk key: {chunk_id[:MAX_KEY_LENGTH]!r}")


def check_rows(rows: Sequence[VectorRow], dimension: int) -> None:
    """Raise `ValueError` if a key, a vector or a weight is not what `VectorRow` promises."""
    check_keys([row.chunk_id for row in rows])
    for row in rows:
        check_vector(row.dense, dimension)
        check_terms(row.sparse)


def check_vector(vector: Vector, dimension: int) -> None:
    """Raise `ValueError` unless the vector is finite, of this dimension and of unit length."""
    if vector.shape != (dimension,):
        raise ValueError(f"a vector of shape {vector.shape} in a collection of dimension {dimension}")
    length = float(np.linalg.norm(vector))
    if not math.isfinite(length) or abs(length - 1.0) > _UNIT_TOLERANCE:
        raise ValueError(f"a vector of length {length}; vectors must be finite and of unit length")


def check_terms(terms: Mapping[int, float]) -> None:
    """Raise `ValueError` unless term ids are in 1…`MAX_TERM` and weights are finite and > 0."""
    for term, weight in terms.items():
        if not 0 < term <= MAX_TERM or not 0 < weight < math.inf:
            raise ValueError(f"not a term weight: {term}: {weight}")
