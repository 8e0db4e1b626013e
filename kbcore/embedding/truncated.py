"""Vectors cut to their first components, for models that were trained to allow it (Matryoshka, Kusupati et al. 2022).

A model that was not loses much; the gate of a re-index says how much.
"""

from collections.abc import Sequence

import numpy as np

from kbcore.embedding.interface import Embedder, Matrix


class TruncatedEmbedder:
    """An `Embedder` whose vectors are the first `dimension` components of another's, of unit length again."""

    def __init__(self, model: Embedder, dimension: int) -> None:
        if not 0 < dimension <= model.dimension:
            raise ValueError(f"dimension {dimension} of a model whose vectors have {model.dimension}")
        self._model = model
        self.dimension = dimension

    @property
    def name(self) -> str:
        """The model's name and the length: vectors of different lengths are never compared."""
        return f"{self._model.name}/{self.dimension}"

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._model.max_tokens

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """See `Embedder.embed_passages`."""
        return self._cut(self._model.embed_passages(texts))

    def embed_query(self, text: str) -> Matrix:
        """See `Embedder.embed_query`."""
        cut: Matrix = self._cut(self._model.embed_query(text)[np.newaxis])[0]
        return cut

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `Embedder.count_tokens`."""
        return self._model.count_tokens(texts)

    def _cut(self, vectors: Matrix) -> Matrix:
        first = vectors[:, : self.dimension]
        lengths = np.linalg.norm(first, axis=1, keepdims=True)
        cut: Matrix = (first / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
        return cut
