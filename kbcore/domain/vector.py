"""Dense vectors as they are stored in SQL."""

import numpy as np
from numpy.typing import NDArray


def vector_to_bytes(vector: NDArray[np.float32]) -> bytes:
    """float32[n] as 4·n bytes, little-endian."""
    return vector.astype("<f4").tobytes()


def vector_from_bytes(data: bytes) -> NDArray[np.float32]:
    """The inverse of `vector_to_bytes`."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32)
