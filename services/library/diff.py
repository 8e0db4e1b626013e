"""What changed between two stored texts, passage by passage: added, removed, changed, moved. Pure.

A passage is an element of the outline: a heading, a paragraph, a list item, a table, a listing.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kbcore.domain.chunk import ElementKind, StoredText
from kbcore.revisions.alignment import Gap, aligned, gaps
from kbcore.revisions.similarity import rewritten


class ChangeKind(StrEnum):
    """What happened to a passage."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # reads differently in about the same place
    MOVED = "moved"  # reads the same in another place


@dataclass(frozen=True, slots=True)
class DiffPassage:
    """A passage of one of the texts: characters `start:end`, and the headings above it, outermost first."""

    start: int
    end: int
    text: str
    page: int | None
    heading: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is None for what was added, `after` for what was removed."""

    kind: ChangeKind
    before: DiffPassage | None
    after: DiffPassage | None


@dataclass(frozen=True, slots=True)
class TextDiff:
    """All differences in the order of the new text, and how many passages read the same in the same place."""

    changes: tuple[Change, ...]
    unchanged: int

    def count(self, kind: ChangeKind) -> int:
        """How many changes are of this kind."""
        return sum(change.kind is kind for change in self.changes)


def diff(before: StoredText, after: StoredText) -> TextDiff:
    """The differences between two texts, by what passages say; their kinds and pages are not compared.

    Every passage of `before` is unchanged, or the `before` of one change; the same holds for `after`.
    """
    old, new = list(_passages(before)), list(_passages(after))
    same = aligned([passage.text for passage in old], [passage.text for passage in new])
    alone = list(gaps(same, len(old), len(new)))
    moved = _moved(old, new, alone)
    changed = _changed(old, new, alone, moved)
    placed = {*moved.values(), *changed.values()}
    changes: list[Change] = []
    for gap in alone:
        missing = deque(i for i in range(gap.a_start, gap.a_end) if i not in placed)
        changes += _in_gap(old, new, missing, range(gap.b_start, gap.b_end), moved, changed)
    return TextDiff(tuple(changes), len(same))


def _passages(stored: StoredText) -> Iterator[DiffPassage]:
    path: list[tuple[int, str]] = []
    for span in stored.outline:
        text = stored.text[span.start : span.end]
        if span.kind is ElementKind.HEADING:
            path = [entry for entry in path if entry[0] < (span.depth or 1)]
        yield DiffPassage(span.start, span.end, text, span.page, tuple(heading for _, heading in path))
        if span.kind is ElementKind.HEADING:
            path.append((span.depth or 1, " ".join(text.split())))


def _moved(old: Sequence[DiffPassage], new: Sequence[DiffPassage], alone: Sequence[Gap]) -> dict[int, int]:
    """For passages that were moved: their place in `old` by the one in `new`. Equal ones are taken in order."""
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for gap in alone:
        for i in range(gap.a_start, gap.a_end):
            waiting[old[i].text].append(i)
    places = (j for gap in alone for j in range(gap.b_start, gap.b_end))
    return {j: waiting[new[j].text].popleft() for j in places if waiting.get(new[j].text)}


def _changed(
    old: Sequence[DiffPassage], new: Sequence[DiffPassage], alone: Sequence[Gap], moved: Mapping[int, int]
) -> dict[int, int]:
    """For rewritten passages likewise: those in the same place first, then those that crossed another one."""
    elsewhere = frozenset(moved.values())
    changed: dict[int, int] = {}
    rest_of_old: list[int] = []
    rest_of_new: list[int] = []
    for gap in alone:
        gone = [i for i in range(gap.a_start, gap.a_end) if i not in elsewhere]
        come = [j for j in range(gap.b_start, gap.b_end) if j not in moved]
        found = _rewritten(old, new, gone, come)
        changed.update(found)
        rest_of_old += sorted(set(gone).difference(found.values()))
        rest_of_new += [j for j in come if j not in found]
    return changed | _rewritten(old, new, rest_of_old, rest_of_new)


def _rewritten(
    old: Sequence[DiffPassage], new: Sequence[DiffPassage], gone: Sequence[int], come: Sequence[int]
) -> dict[int, int]:
    pairs = rewritten([old[i].text for i in gone], [new[j].text for j in come])
    return {come[j]: gone[i] for i, j in pairs}


def _in_gap(
    old: Sequence[DiffPassage],
    new: Sequence[DiffPassage],
    missing: deque[int],
    come: range,
    moved: Mapping[int, int],
    changed: Mapping[int, int],
) -> Iterator[Change]:
    """What happened between two unchanged passages; what was removed stands where it was missed."""
    for j in come:
        if j in moved:
            yield Change(ChangeKind.MOVED, old[moved[j]], new[j])
        elif j in changed:
            while missing and missing[0] < changed[j]:
                yield Change(ChangeKind.REMOVED, old[missing.popleft()], None)
            yield Change(ChangeKind.CHANGED, old[changed[j]], new[j])
        else:
            yield Change(ChangeKind.ADDED, None, new[j])
    for i in missing:
        yield Change(ChangeKind.REMOVED, old[i], None)
