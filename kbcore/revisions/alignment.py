"""Which items of two sequences are the same ones, in order: the base of diffs, carried outlines and merges.

Common beginnings and ends first, then the items that occur once on either side (the longest increasing run of them, as
in Bram Cohen's patience diff), and difflib between those. Near linear where most items are distinct, as paragraphs are.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple


class Gap(NamedTuple):
    """Items between two neighbouring pairs that have no counterpart: `a[a_start:a_end]` against `b[b_start:b_end]`."""

    a_start: int
    a_end: int
    b_start: int
    b_end: int


def aligned(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs (i, j) with `a[i] == b[j]`, strictly increasing in both: as many as make sense to a reader."""
    pairs: list[tuple[int, int]] = []
    pending = [Gap(0, len(a), 0, len(b))]
    while pending:
        gap, ends = _trimmed(a, b, pending.pop())
        pairs += ends
        if gap.a_start == gap.a_end or gap.b_start == gap.b_end:
            continue
        anchors = _anchors(a, b, gap)
        if anchors:
            pairs += anchors
            pending += [inner for inner in _between(anchors, gap) if inner.a_end > inner.a_start]
        else:
            pairs += _blocks(a, b, gap)
    return sorted(pairs)


def gaps(pairs: Sequence[tuple[int, int]], a_length: int, b_length: int) -> Iterator[Gap]:
    """What stands before, between and after the pairs, one gap more than there are pairs; many are empty."""
    return _between(pairs, Gap(0, a_length, 0, b_length))


def _between(pairs: Sequence[tuple[int, int]], whole: Gap) -> Iterator[Gap]:
    a_start, b_start = whole.a_start, whole.b_start
    for i, j in (*pairs, (whole.a_end, whole.b_end)):
        yield Gap(a_start, i, b_start, j)
        a_start, b_start = i + 1, j + 1


def _trimmed(a: Sequence[Hashable], b: Sequence[Hashable], gap: Gap) -> tuple[Gap, list[tuple[int, int]]]:
    """The gap without what begins and ends the same, and the pairs of that."""
    a_start, a_end, b_start, b_end = gap
    pairs = []
    while a_start < a_end and b_start < b_end and a[a_start] == b[b_start]:
        pairs.append((a_start, b_start))
        a_start, b_start = a_start + 1, b_start + 1
    while a_start < a_end and b_start < b_end and a[a_end - 1] == b[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
        pairs.append((a_end, b_end))
    return Gap(a_start, a_end, b_start, b_end), pairs


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable], gap: Gap) -> list[tuple[int, int]]:
    """The longest increasing run of items that occur exactly once on either side."""
    in_a = Counter(a[gap.a_start : gap.a_end])
    in_b = Counter(b[gap.b_start : gap.b_end])
    place = {b[j]: j for j in range(gap.b_start, gap.b_end) if in_b[b[j]] == 1}
    common = [(i, place[a[i]]) for i in range(gap.a_start, gap.a_end) if in_a[a[i]] == 1 and a[i] in place]
    ends: list[int] = []  # j of the smallest end of a run of each length
    last: list[int] = []  # and which pair that is
    before: list[int | None] = []
    for index, (_, j) in enumerate(common):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [index]
    run: list[tuple[int, int]] = []
    at = last[-1] if last else None
    while at is not None:
        run.append(common[at])
        at = before[at]
    return run[::-1]


def _blocks(a: Sequence[Hashable], b: Sequence[Hashable], gap: Gap) -> list[tuple[int, int]]:
    # difflib's shortcut for items that fill the sequence keeps this from growing quadratic.
    matcher = SequenceMatcher(None, a[gap.a_start : gap.a_end], b[gap.b_start : gap.b_end])
    return [
        (gap.a_start + block.a + offset, gap.b_start + block.b + offset)
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    ]
