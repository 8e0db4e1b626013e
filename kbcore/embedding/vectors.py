"""What every embedder owes: float32, finite, of unit length."""

import numpy as np
from numpy.typing import ArrayLike

from kbcore.embedding.interface import Matrix
from kbcore.errors import Unavailable


def unit_rows(values: ArrayLike, *, rows: int, dimension: int) -> Matrix:
    """float32[rows, dimension], scaled. Raises `Unavailable` if a model gave another shape, NaN, infinity or zeros."""
    try:
        matrix = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise Unavailable("The embedding model gave something else than rows of numbers of one length.") from None
    if matrix.shape != (rows, dimension):
        raise Unavailable(
            f"The embedding model gave numbers of shape {matrix.shape} for {rows} texts, "
            f"not {dimension} each: check embedding.model and embedding.dimension."
        )
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise Unavailable("The embedding model gave a vector that is not finite, or only zeros.")
    unit: Matrix = (matrix / lengths).astype(np.float32)
    return unit
