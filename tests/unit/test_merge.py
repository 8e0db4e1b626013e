"""Three-way merge: both changes or a conflict, never one of them silently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.revisions.merge import MergeConflict, merged

TEXTS = st.lists(st.sampled_from(["a", "b", "", "年假五天。", "x | y"]), max_size=8).map("\n".join)
BASE = "总则\n\n年假五天。\n\n病假十天。\n\n附则"


@given(TEXTS, TEXTS)
def test_a_change_of_one_side_alone_is_taken(base: str, changed: str) -> None:
    assert merged(base, changed, base) == changed
    assert merged(base, base, changed) == changed
    assert merged(base, changed, changed) == changed


@given(TEXTS, TEXTS, TEXTS)
def test_the_sides_can_be_swapped(base: str, ours: str, theirs: str) -> None:
    def outcome(one: str, other: str) -> str | None:
        try:
            return merged(base, one, other)
        except MergeConflict:
            return None

    assert outcome(ours, theirs) == outcome(theirs, ours)


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_changes_of_different_paragraphs_go_together(ours: set[int], theirs: set[int]) -> None:
    def written(edited: set[int], read: set[int]) -> str:
        return "\n\n".join(
            f"edited {n}" if n in edited else f"read anew {n}" if n in read else f"paragraph {n}" for n in range(10)
        )

    apart = theirs - ours
    assert merged(written(set(), set()), written(ours, set()), written(set(), apart)) == written(ours, apart)


def test_what_both_changed_differently_is_a_conflict_at_its_line() -> None:
    with pytest.raises(MergeConflict) as conflict:
        merged(BASE, BASE.replace("十", "十二").replace("五", "六"), BASE.replace("病假十天", "病假 10 天"))
    assert conflict.value.line == 5


def test_a_paragraph_added_by_one_and_one_removed_by_the_other() -> None:
    ours = BASE.replace("附则", "附则\n\n自公布之日起施行。")
    assert merged(BASE, ours, BASE.replace("年假五天。\n\n", "")) == ours.replace("年假五天。\n\n", "")
