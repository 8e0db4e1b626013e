"""Alignment and similarity: what two sequences share, in order."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kbcore.revisions.alignment import aligned, gaps
from kbcore.revisions.similarity import rewritten

ITEMS = st.lists(st.sampled_from("abcdef"), max_size=20)


@given(ITEMS, ITEMS)
def test_pairs_are_equal_increasing_and_leave_nothing_out_that_fits_between_them(a: list[str], b: list[str]) -> None:
    pairs = aligned(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(x < y for (i, j), (k, m) in pairwise(pairs) for x, y in ((i, k), (j, m)))
    for gap in gaps(pairs, len(a), len(b)):
        assert not set(a[gap.a_start : gap.a_end]) & set(b[gap.b_start : gap.b_end])


@given(ITEMS, ITEMS)
def test_pairs_and_gaps_are_all_of_both(a: list[str], b: list[str]) -> None:
    pairs = aligned(a, b)
    found = list(gaps(pairs, len(a), len(b)))
    assert sorted([i for g in found for i in range(g.a_start, g.a_end)] + [i for i, _ in pairs]) == list(range(len(a)))
    assert sorted([j for g in found for j in range(g.b_start, g.b_end)] + [j for _, j in pairs]) == list(range(len(b)))


def test_a_block_that_moved_leaves_the_larger_part_in_place() -> None:
    assert aligned("abcdeXY", "XYabcde") == [(i, i + 2) for i in range(5)]


def test_rewritten_passages_find_each_other_in_order() -> None:
    old = ["员工每年享有五天带薪年假。", "迟到三次记警告一次。", "Travel is booked by the office."]
    new = ["全新的一段话。", "员工每年享有十天带薪年假。", "Travel must be booked by the office."]
    assert rewritten(old, new) == [(0, 1), (2, 2)]
    assert rewritten([], new) == rewritten(old, []) == []


@given(st.lists(st.text("ab 年假", max_size=6), max_size=40), st.lists(st.text("ab 年假", max_size=6), max_size=40))
def test_pairs_of_rewritten_passages_increase(a: list[str], b: list[str]) -> None:
    pairs = rewritten(a, b)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
    assert all(0 <= i < len(a) and 0 <= j < len(b) for i, j in pairs)


@given(st.lists(st.text("ab年", min_size=1, max_size=6), max_size=12))
def test_a_passage_is_most_like_itself(texts: list[str]) -> None:
    assert len(rewritten(texts, texts)) == len(texts)
