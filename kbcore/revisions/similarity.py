"""Which of some new passages are rewritten forms of which old ones."""

from collections.abc import Iterator, Sequence

LEAST = 0.5
"""Passages that share less are not the same passage any more."""

_REACH = 8
_WHOLE = 1_024
"""Up to so many pairs every one is compared; beyond, those about equally far along: the cost stays linear."""


def rewritten(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (i, j) of passages that resemble each other, increasing in both: the run with the largest likenesses."""
    old, new = [_shingles(text) for text in a], [_shingles(text) for text in b]
    alike = []
    for i, left in enumerate(old):
        for j in reversed(_near(i, len(old), len(new))):  # so that no run takes two of one row
            score = _likeness(left, new[j])
            if score >= LEAST:
                alike.append((i, j, score))
    return list(_heaviest_run(alike, len(new)))[::-1]


def _shingles(text: str) -> frozenset[str]:
    """Pairs of characters, the same in Chinese as in English; white space does not count."""
    dense = "".join(text.split())
    return frozenset(dense[at : at + 2] for at in range(max(1, len(dense) - 1)))


def _likeness(a: frozenset[str], b: frozenset[str]) -> float:
    """Dice's coefficient, 0 to 1."""
    return 2 * len(a & b) / (len(a) + len(b))


def _near(i: int, rows: int, columns: int) -> range:
    if rows * columns <= _WHOLE:
        return range(columns)
    centre = i * columns // rows
    return range(max(0, centre - _REACH), min(columns, centre + _REACH + 1))


def _heaviest_run(alike: Sequence[tuple[int, int, float]], columns: int) -> Iterator[tuple[int, int]]:
    """The increasing run with the largest sum, last pair first; a Fenwick tree keeps the best sum up to a column."""
    tree: list[tuple[float, int]] = [(0.0, -1)] * (columns + 1)
    before: list[int] = []
    best = (0.0, -1)
    for index, (_, j, score) in enumerate(alike):
        total, previous, at = 0.0, -1, j
        while at:
            total, previous = max((total, previous), tree[at])
            at -= at & -at
        before.append(previous)
        ending = (total + score, index)
        best = max(best, ending)
        at = j + 1
        while at <= columns:
            tree[at] = max(tree[at], ending)
            at += at & -at
    at = best[1]
    while at >= 0:
        yield alike[at][:2]
        at = before[at]
