"""An exact store in memory: the oracle that the contract suite holds every adapter against."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import RLock

import numpy as np

from kbcore.domain.document import FOREVER
from kbcore.errors import Unavailable
from kbcore.vectors.interface import Vector, VectorFilter, VectorHit, VectorRow, VectorStamp
from kbcore.vectors.rows import check_keys, check_rows, check_terms, check_vector


class _Collection:
    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.rows: dict[str, VectorRow] = {}


class MemoryStore:
    """`VectorStore` as plain loops over a dictionary. Equal scores are ordered by key."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}
        self._lock = RLock()

    def create(self, collection: str, dimension: int) -> None:
        """Create a collection; raises `ValueError` if it exists with another dimension."""
        with self._lock:
            existing = self._collections.setdefault(collection, _Collection(dimension))
        if existing.dimension != dimension:
            raise ValueError(f"collection {collection} has dimension {existing.dimension}, not {dimension}")

    def drop(self, collection: str) -> None:
        """Forget a collection."""
        with self._lock:
            self._collections.pop(collection, None)

    def load(self, collection: str) -> None:
        """Nothing to do but to see that it is there."""
        self._named(collection)

    def upsert(self, collection: str, rows: Sequence[VectorRow]) -> None:
        """Write rows."""
        with self._lock:
            target = self._named(collection)
            check_rows(rows, target.dimension)
            target.rows.update((row.chunk_id, row) for row in rows)

    def close(self, collection: str, chunk_ids: Collection[str], valid_to: int) -> None:
        """Set `valid_to`."""
        check_keys(chunk_ids)
        keys = set(chunk_ids)
        self._restamp(collection, lambda row: row.chunk_id in keys, valid_to=valid_to)

    def restamp(self, collection: str, document_key: int, *, policy_id: int, level: int) -> None:
        """Set policy and level of a document's rows."""
        self._restamp(collection, lambda row: row.stamp.document_key == document_key, policy_id=policy_id, level=level)

    def delete(self, collection: str, chunk_ids: Collection[str]) -> None:
        """Remove rows."""
        check_keys(chunk_ids)
        with self._lock:
            rows = self._named(collection).rows
            for chunk_id in chunk_ids:
                rows.pop(chunk_id, None)

    def delete_document(self, collection: str, document_key: int) -> int:
        """Remove a document's rows."""
        with self._lock:
            rows = self._named(collection).rows
            keys = [key for key, row in rows.items() if row.stamp.document_key == document_key]
            for key in keys:
                del rows[key]
        return len(keys)

    def undo_after(self, collection: str, epoch: int) -> int:
        """Remove rows that begin after `epoch`, re-open rows that end after it."""
        with self._lock:
            rows = self._named(collection).rows
            begun = [key for key, row in rows.items() if row.stamp.valid_from > epoch]
            for key in begun:
                del rows[key]
            ended = self._restamp(collection, lambda row: epoch < row.stamp.valid_to < FOREVER, valid_to=FOREVER)
        return len(begun) + ended

    def search_dense(self, collection: str, query: Vector, where: VectorFilter, limit: int) -> list[VectorHit]:
        """Cosine with every row."""
        target = self._named(collection)
        check_vector(query, target.dimension)
        return self._best(target, where, limit, lambda row: float(np.dot(row.dense, query)))

    def search_sparse(
        self, collection: str, terms: Mapping[int, float], where: VectorFilter, limit: int
    ) -> list[VectorHit]:
        """Inner product with every row, those above 0."""
        check_terms(terms)

        def score(row: VectorRow) -> float:
            return sum(weight * row.sparse.get(term, 0.0) for term, weight in terms.items())

        target = self._named(collection)
        candidates = self._best(target, where, len(target.rows), score)
        return [hit for hit in candidates if hit.score > 0][:limit]

    def scan(self, collection: str) -> Iterator[tuple[str, VectorStamp]]:
        """Every row, as it was when the scan began."""
        with self._lock:
            rows = list(self._named(collection).rows.values())
        return ((row.chunk_id, row.stamp) for row in rows)

    def count(self, collection: str, document_key: int | None = None) -> int:
        """How many rows there are."""
        with self._lock:
            rows = list(self._named(collection).rows.values())
        return sum(document_key is None or row.stamp.document_key == document_key for row in rows)

    def present(self, collection: str, chunk_ids: Collection[str]) -> set[str]:
        """The keys that have a row."""
        check_keys(chunk_ids)
        return set(chunk_ids) & self._named(collection).rows.keys()

    def flush(self, collection: str) -> None:
        """Nothing to seal."""
        self._named(collection)

    def ping(self) -> None:
        """Always there."""

    def _named(self, collection: str) -> _Collection:
        try:
            return self._collections[collection]
        except KeyError:
            raise Unavailable(f"The vector collection {collection} does not exist; rebuild the index.") from None

    def _restamp(self, collection: str, chosen: Callable[[VectorRow], bool], **changes: int) -> int:
        with self._lock:
            rows = self._named(collection).rows
            touched = [row for row in rows.values() if chosen(row)]
            for row in touched:
                rows[row.chunk_id] = replace(row, stamp=replace(row.stamp, **changes))
        return len(touched)

    def _best(
        self, target: _Collection, where: VectorFilter, limit: int, score: Callable[[VectorRow], float]
    ) -> list[VectorHit]:
        with self._lock:
            rows = [row for row in target.rows.values() if where.accepts(row.stamp)]
        hits = [VectorHit(row.chunk_id, score(row)) for row in rows]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]
