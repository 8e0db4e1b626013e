"""The vector index: derived from SQL, rebuildable, and never believed before SQL confirms a hit."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kbcore.domain.chunk import VectorStamp
from kbcore.permissions.scope import ReadScope

__all__ = ["Vector", "VectorFilter", "VectorHit", "VectorRow", "VectorStamp", "VectorStore"]

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One chunk's row. `dense` is float32[dimension], finite, of unit length; `sparse` maps term ids to weights > 0."""

    chunk_id: str
    stamp: VectorStamp
    dense: Vector
    sparse: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class VectorFilter:
    """What a search may return. `scope` and `epoch` are required: no search runs without permission and version.

    `history` also returns rows that had been closed by `epoch`: SQL then says which of them were in force when.
    `space_keys` and `document_keys` narrow further; None = no narrowing, an empty set = nothing matches. `share` is
    about what part of the rows `scope` lets through, in (0, 1]: an approximate index searches the wider, the smaller it
    is.
    """

    scope: ReadScope
    epoch: int
    space_keys: frozenset[int] | None = None
    document_keys: frozenset[int] | None = None
    history: bool = False
    share: float = 1.0

    @property
    def matches_nothing(self) -> bool:
        """True if the answer is known to be empty without asking."""
        return self.scope.empty or self.space_keys == frozenset() or self.document_keys == frozenset()

    def accepts(self, stamp: VectorStamp) -> bool:
        """The filter's meaning, as plain Python: every adapter must agree with this."""
        return (
            stamp.policy_id in self.scope.policy_ids
            and stamp.level <= self.scope.clearance
            and stamp.valid_from <= self.epoch
            and (self.history or self.epoch < stamp.valid_to)
            and (self.space_keys is None or stamp.space_key in self.space_keys)
            and (self.document_keys is None or stamp.document_key in self.document_keys)
        )


@dataclass(frozen=True, slots=True)
class VectorHit:
    """A chunk's key and its score: cosine for dense, inner product for sparse; higher is better."""

    chunk_id: str
    score: float


class VectorStore(Protocol):
    """One collection per index generation. Safe for concurrent readers; one writer at a time per collection.

    Every method raises `kbcore.errors.Unavailable` when the server does not answer after retries or the collection is
    missing, and `ValueError` for keys, vectors and weights that are not what the types here promise.
    """

    def create(self, collection: str, dimension: int) -> None:
        """Create and load a collection; does nothing if it exists already with this dimension."""

    def drop(self, collection: str) -> None:
        """Remove a collection by its real name; does nothing if there is none."""

    def load(self, collection: str) -> None:
        """Make a collection searchable after a server start."""

    def upsert(self, collection: str, rows: Sequence[VectorRow]) -> None:
        """Write rows; one with the same key is replaced. On return they survive process death and searches see them."""

    def close(self, collection: str, chunk_ids: Collection[str], valid_to: int) -> None:
        """Set `valid_to` of these rows, vectors untouched. Missing keys are ignored."""

    def restamp(self, collection: str, document_key: int, *, policy_id: int, level: int) -> None:
        """Set policy and level of all rows of a document, vectors untouched."""

    def delete(self, collection: str, chunk_ids: Collection[str]) -> None:
        """Remove rows. Missing keys are ignored."""

    def delete_document(self, collection: str, document_key: int) -> int:
        """Remove every row of a document, whatever SQL knows of them; returns how many there were."""

    def undo_after(self, collection: str, epoch: int) -> int:
        """Remove rows with `valid_from > epoch`, re-open rows with `epoch < valid_to < FOREVER`; returns how many."""

    def search_dense(self, collection: str, query: Vector, where: VectorFilter, limit: int) -> list[VectorHit]:
        """The nearest rows by cosine that `where` accepts, best first, no key twice, at most `limit`."""

    def search_sparse(
        self, collection: str, terms: Mapping[int, float], where: VectorFilter, limit: int
    ) -> list[VectorHit]:
        """The highest inner products > 0 among rows that `where` accepts, best first, no key twice, at most `limit`."""

    def scan(self, collection: str) -> Iterator[tuple[str, VectorStamp]]:
        """Every row's key and stamp, in any order, each once: for reconciling with SQL."""

    def count(self, collection: str, document_key: int | None = None) -> int:
        """How many rows there are, exactly; of one document, if its key is given."""

    def present(self, collection: str, chunk_ids: Collection[str]) -> set[str]:
        """Those of these keys that have a row."""

    def flush(self, collection: str) -> None:
        """Seal what was written, so that searches over it are fast. Not needed for durability or visibility."""

    def ping(self) -> None:
        """Return if the server answers, raise `Unavailable` if not."""
