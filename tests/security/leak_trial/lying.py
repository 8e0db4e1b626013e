"""An index that helps nobody: it ignores every filter, forgets nothing, and makes rows up. And a quick embedder."""

import random
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kbcore.vectors.interface import Vector, VectorFilter, VectorHit, VectorRow
from kbcore.vectors.memory import MemoryStore

DIMENSION = 16


class LettersEmbedder:
    """A unit vector from letter counts: quick, and good enough to tell texts apart."""

    name = "letters@1"
    dimension = DIMENSION
    max_tokens = 512

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32[n, 16]."""
        return np.stack([self.embed_query(text) for text in texts]) if texts else np.empty((0, DIMENSION), np.float32)

    def embed_query(self, text: str) -> np.ndarray:
        """float32[16]."""
        vector = np.ones(self.dimension, np.float32)
        for character in text:
            vector[ord(character) % self.dimension] += 1
        return vector / np.linalg.norm(vector)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words."""
        return [len(text.split()) for text in texts]


class LyingStore(MemoryStore):
    """Answers every search with every row that there ever was, closed, foreign, deleted and erased, and some that never
    were, in any order: the filter for rights, epoch, space and document is thrown away."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._ever: dict[str, None] = {}

    def upsert(self, collection: str, rows: Sequence[VectorRow]) -> None:
        """Write rows, and remember them for good."""
        super().upsert(collection, rows)
        self._ever.update((row.chunk_id, None) for row in rows)

    def search_dense(self, collection: str, query: Vector, where: VectorFilter, limit: int) -> list[VectorHit]:
        """All there ever was."""
        return self._everything()

    def search_sparse(
        self, collection: str, terms: Mapping[int, float], where: VectorFilter, limit: int
    ) -> list[VectorHit]:
        """All there ever was."""
        return self._everything()

    def _everything(self) -> list[VectorHit]:
        keys = list(self._ever)
        keys += self._invented(keys[:3])
        self._chance.shuffle(keys)
        return [VectorHit(key, 1.0) for key in keys]

    @staticmethod
    def _invented(known: Iterable[str]) -> list[str]:
        return ["", "x' OR 'a'='a", "0198-1-0", "a" * 5000, *(f"{key}0" for key in known)]
