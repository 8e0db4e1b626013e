"""Three-way merge by lines: two texts that were made from a third one, with the changes of both (diff3)."""

from collections.abc import Sequence

from kbcore.revisions.alignment import aligned


class MergeConflict(Exception):
    """Both texts changed the same lines, each differently. `line` (1-based) is the first of them in `ours`."""

    def __init__(self, line: int) -> None:
        super().__init__(f"both changed line {line}")
        self.line = line


def merged(base: str, ours: str, theirs: str) -> str:
    """`base` with what `ours` changed and what `theirs` changed. Raises `MergeConflict`.

    Where both made the same change it is made once. Changes of neighbouring lines don't conflict if a line that
    neither changed, blank ones included, stands between them.
    """
    old, left, right = base.split("\n"), ours.split("\n"), theirs.split("\n")
    lines: list[str] = []
    o_start = l_start = r_start = 0
    for o, l, r in (*_kept_by_both(old, left, right), (len(old), len(left), len(right))):  # noqa: E741
        lines += _resolved(old[o_start:o], left[l_start:l], right[r_start:r], l_start + 1)
        lines += old[o : o + 1]
        o_start, l_start, r_start = o + 1, l + 1, r + 1
    return "\n".join(lines)


def _kept_by_both(old: Sequence[str], left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int, int]]:
    in_right = dict(aligned(old, right))
    return [(o, l, in_right[o]) for o, l in aligned(old, left) if o in in_right]  # noqa: E741


def _resolved(old: list[str], left: list[str], right: list[str], line: int) -> list[str]:
    if left in (old, right):
        return right
    if right == old:
        return left
    raise MergeConflict(line)
