"""Text to vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


class Embedder(Protocol):
    """An embedding model. Deterministic: the same text gives the same vector, whatever else is in the batch (to 1e-3).

    `name` identifies model and revision (`e5-small@…`); vectors of different names are never compared.
    Vectors are float32, finite, of unit length. Thread-safe. Raises `Unavailable` when a remote model does not answer.
    """

    @property
    def name(self) -> str:
        """Model and revision, stable across processes."""

    @property
    def dimension(self) -> int:
        """Length of every vector."""

    @property
    def max_tokens(self) -> int:
        """Tokens that the model reads; longer texts are cut."""

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """float32[len(texts), dimension], in order; an empty sequence gives shape (0, dimension)."""

    def embed_query(self, text: str) -> Matrix:
        """float32[dimension]."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as the model counts them, without its prefix and special tokens."""
