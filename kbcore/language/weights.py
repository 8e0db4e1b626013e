"""Weights of the keyword leg: BM25 cut in two, so that an inner product is the same on every server (ADR 0006).

The document side holds what depends on the passage alone (saturated, length-normalised term frequency), the question
side what depends on the corpus (IDF). Nothing of the corpus is baked into stored rows, so they never grow stale.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

SATURATION = 0.6
"""k1 of BM25 (Robertson & Zaragoza 2009): how soon repetitions stop to count. Chosen by measurement, ADR 0006."""

LENGTH_SHARE = 0.5
"""b of BM25: how much a long passage is discounted."""

TYPICAL_TERMS = 150
"""The passage length, in terms, that is neither rewarded nor discounted: a constant instead of the corpus' average."""

TERM_IDS = 2**32 - 2
"""Term ids are 1…`TERM_IDS`: Milvus' sparse dimensions are uint32, the last is reserved and 0 is ours."""

_PACKED = np.dtype([("term", "<u4"), ("weight", "<f2")])


def term_id(term: str) -> int:
    """A stable id of a term, 1…2³²-2. Two of a million terms collide with a chance of 1e-4 each."""
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % TERM_IDS + 1


def document_weights(terms: Sequence[str]) -> dict[int, float]:
    """Weights in (0, 1] by term id: `tf / (tf + k1 (1 - b + b length / typical))`, rounded to what `pack` keeps."""
    discount = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * len(terms) / TYPICAL_TERMS)
    counts = Counter(map(term_id, terms))
    return {term: float(np.float16(count / (count + discount))) for term, count in counts.items()}


def query_weights(terms: Sequence[str], rows_with_term: Mapping[int, int], rows: int) -> dict[int, float]:
    """IDF of each term of a question divided by the sum over all of them, by term id.

    `rows_with_term` says in how many of the index's `rows` passages a term occurs; terms that it does not know count as
    rarest, so a question about things that the index never mentions scores low. The inner product with
    `document_weights` is in [0, 1]: how much of the question's information a passage covers.
    """
    distinct = set(map(term_id, terms))
    idf = {term: _idf(rows_with_term.get(term, 0), rows) for term in distinct}
    total = sum(idf.values())
    return {term: value / total for term, value in idf.items()}


def coverage(question: Mapping[int, float], passage: Mapping[int, float]) -> float:
    """The inner product: a keyword score in [0, 1]."""
    return sum(weight * passage.get(term, 0.0) for term, weight in question.items())


def packed_coverage(question: Mapping[int, float], packed: bytes) -> float:
    """`coverage` of a packed passage, without unpacking it: a search scores a hundred of them."""
    entries = np.frombuffer(packed, dtype=_PACKED)
    if not len(entries) or not question:
        return 0.0
    wanted = np.fromiter(question, dtype="<u4", count=len(question))
    places = np.minimum(np.searchsorted(entries["term"], wanted), len(entries) - 1)
    found = np.where(entries["term"][places] == wanted, entries["weight"][places], 0.0)
    return float(found @ np.fromiter(question.values(), dtype=np.float64, count=len(question)))


def packed_coverages(question: Mapping[int, float], packed: bytes, sizes: Sequence[int]) -> NDArray[np.float64]:
    """`coverage` of many passages, packed one after the other into `sizes` bytes each: float64[len(sizes)]."""
    if not question or not len(sizes):
        return np.zeros(len(sizes))
    entries = np.frombuffer(packed, dtype=_PACKED)
    terms = np.array(sorted(question), dtype="<u4")
    weights = np.array([question[term] for term in terms.tolist()])
    places = np.minimum(np.searchsorted(terms, entries["term"]), len(terms) - 1)
    found = np.flatnonzero(terms[places] == entries["term"])
    ends = np.cumsum(np.asarray(sizes) // _PACKED.itemsize)
    passages = np.searchsorted(ends, found, side="right")
    products = weights[places[found]] * entries["weight"][found]
    scores: NDArray[np.float64] = np.bincount(passages, weights=products, minlength=len(sizes)).astype(np.float64)
    return scores


def pack(weights: Mapping[int, float]) -> bytes:
    """Six bytes a term, in the order of ids; the inverse of `unpack` for what `document_weights` returns."""
    packed = np.fromiter(weights.items(), dtype=_PACKED, count=len(weights))
    return np.sort(packed, order="term").tobytes()


def unpack(packed: bytes) -> dict[int, float]:
    """Weights by term id. Raises `ValueError` if these bytes are not from `pack`."""
    entries = np.frombuffer(packed, dtype=_PACKED)
    return dict(zip(entries["term"].tolist(), entries["weight"].tolist(), strict=True))


def _idf(rows_with_term: int, rows: int) -> float:
    """Robertson–Spärck Jones with Lucene's `1 +`, which keeps it above 0; counts may be a little behind each other."""
    known = min(rows_with_term, rows)
    return math.log1p((rows - known + 0.5) / (known + 0.5))
