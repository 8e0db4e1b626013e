"""Vectors without their language: a Chinese question finds an English passage that answers it.

In a corpus of both languages e5-small ranks passages in the question's own language before better ones in the other.
One direction of its space tells which language a text is in and little else; removing it from questions and passages
alike mends that and costs nothing within a language (docs/decisions/0014-language-neutral.md has the figures).
"""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from kbcore.embedding.interface import Embedder, Matrix


class LanguageNeutralEmbedder:
    """An `Embedder` whose vectors have the component along `axis` removed and are of unit length again.

    `axis` is float32[dimension], of unit length, and belongs to the model.
    """

    def __init__(self, model: Embedder, axis: Matrix) -> None:
        if axis.shape != (model.dimension,):
            raise ValueError(f"the axis has shape {axis.shape}, the model's vectors have {model.dimension} dimensions")
        self._model = model
        self._axis = axis

    @property
    def name(self) -> str:
        """The model's name, marked: its own vectors and these are never compared."""
        return f"{self._model.name}+neutral"

    @property
    def dimension(self) -> int:
        """See `Embedder.dimension`."""
        return self._model.dimension

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._model.max_tokens

    def embed_passages(self, texts: Sequence[str]) -> Matrix:
        """See `Embedder.embed_passages`."""
        return without(self._axis, self._model.embed_passages(texts))

    def embed_query(self, text: str) -> Matrix:
        """See `Embedder.embed_query`."""
        neutral: Matrix = without(self._axis, self._model.embed_query(text)[np.newaxis])[0]
        return neutral

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `Embedder.count_tokens`."""
        return self._model.count_tokens(texts)


def without(axis: Matrix, vectors: Matrix) -> Matrix:
    """float32[n, d]: `vectors` with their component along the unit vector `axis` removed, of unit length."""
    rest = vectors - np.outer(vectors @ axis, axis)
    neutral: Matrix = (rest / np.linalg.norm(rest, axis=1, keepdims=True)).astype(np.float32)
    return neutral


def e5_language_axis() -> Matrix:
    """float32[384]: from English to Chinese in multilingual-e5-small's space, of unit length.

    Made by `tests/quality/language_axis.py` from a parallel corpus of technical documentation.
    """
    with files("kbcore.embedding").joinpath("e5_language_axis.npy").open("rb") as file:
        axis: Matrix = np.load(file, allow_pickle=False)
    return axis
