"""The sets' embeddings, computed once and kept in a folder: the model is the slow part."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kbcore.embedding.bundled import BundledEmbedder
from kbcore.embedding.interface import Embedder, Matrix
from tests.quality.retrieval_corpora import RetrievalSet


def embedded(retrieval_set: RetrievalSet, cache: Path, embedder: Embedder | None = None) -> tuple[Matrix, Matrix]:
    """Passages' and questions' vectors, float32[n, dimension] each, in the order of the set's mappings."""
    model = embedder or BundledEmbedder()

    def queries(texts: Sequence[str]) -> Matrix:
        return np.stack([model.embed_query(text) for text in texts])

    return (
        _cached(cache, model.name, "p", list(retrieval_set.passages.values()), model.embed_passages),
        _cached(cache, model.name, "q", list(retrieval_set.questions.values()), queries),
    )


def _cached(cache: Path, model: str, kind: str, texts: list[str], embed: Callable[[Sequence[str]], Matrix]) -> Matrix:
    digest = hashlib.sha256("\0".join([model, kind, *texts]).encode()).hexdigest()[:24]
    file = cache / f"{digest}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, embed(texts))
    vectors: Matrix = np.load(file)
    return vectors
