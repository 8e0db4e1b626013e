"""Synthetic rows with the statistics that matter: clustered vectors, words by Zipf's law, policies of equal size."""

from collections.abc import Iterator

import numpy as np

from kbcore.domain.document import FOREVER, Classification
from kbcore.permissions.scope import ReadScope
from kbcore.vectors.interface import Vector, VectorFilter, VectorRow, VectorStamp

DIMENSION = 384
POLICIES = 2000
SHARES = (0.5, 0.05, 0.005, 0.0005)
"""Shares of all rows that a caller may read."""

_CLUSTERS = 200
_VOCABULARY = 50_000
_TERMS_OF_ROW = 100
_TERMS_OF_QUESTION = 15


class Workload:
    """Rows and questions from one seed."""

    def __init__(self, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)
        self._centres = self._random.standard_normal((_CLUSTERS, DIMENSION)).astype(np.float32)
        frequencies = 1.0 / np.arange(10, _VOCABULARY + 10)
        self._frequencies = frequencies / frequencies.sum()

    def rows(self, count: int) -> Iterator[VectorRow]:
        """`count` rows of live documents of 20 rows each; a document's rows share a policy."""
        for number in range(count):
            document = number // 20
            stamp = VectorStamp(
                document_key=document,
                space_key=document % 10,
                policy_id=document * 7919 % POLICIES,
                level=0,
                valid_from=1,
                valid_to=FOREVER,
            )
            yield VectorRow(f"d{document}-1-{number % 20}", stamp, self.vector(), self._terms(_TERMS_OF_ROW))

    def vector(self) -> Vector:
        """A unit vector near one of the centres, float32[DIMENSION]."""
        centre = self._centres[self._random.integers(_CLUSTERS)]
        near = centre + 0.7 * self._random.standard_normal(DIMENSION).astype(np.float32)
        unit: Vector = near / np.linalg.norm(near)
        return unit

    def question_terms(self) -> dict[int, float]:
        """Terms with weights that add up to 1, rare ones heavier."""
        terms = self._terms(_TERMS_OF_QUESTION)
        idf = {term: -np.log(self._frequencies[term - 1]) for term in terms}
        return {term: float(weight / sum(idf.values())) for term, weight in idf.items()}

    def readable(self, share: float) -> VectorFilter:
        """The filter of a caller who may read this share of the rows."""
        policies = self._random.choice(POLICIES, max(1, round(POLICIES * share)), replace=False)
        return VectorFilter(ReadScope(frozenset(map(int, policies)), Classification.RESTRICTED), epoch=1)

    def _terms(self, count: int) -> dict[int, float]:
        drawn = self._random.choice(_VOCABULARY, count, p=self._frequencies) + 1
        return {int(term): 0.5 for term in drawn}
