"""The outline of a text that was edited by hand: what the edit left alone stays what it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kbcore.domain.chunk import ElementKind, Span, StoredText
from kbcore.revisions.alignment import Gap, aligned, gaps
from kbcore.revisions.similarity import rewritten

_GROWS = (ElementKind.TABLE, ElementKind.CODE, ElementKind.TEXT)
"""A line written directly below one of these belongs to it; below a list item it is the next one."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is not blank. `element` is the span that it is of, `kept` whether it reads as it did there."""

    start: int
    end: int
    after_blank: bool
    element: int | None = None
    kept: int | None = None


def carried_outline(old: StoredText, text: str) -> tuple[Span, ...]:
    """An outline for `text`, an edited form of `old.text`.

    The spans are in order and hold every visible character once. An element whose lines are all still there keeps its
    kind, page and depth; so does one of whose lines some were changed. New lines join the table, listing or paragraph
    in or right under which they stand, continue a list, and are paragraphs of their own elsewhere.
    """
    before = [line for line in _owned(old) if line.element is not None]
    now = list(_lines(text))
    pairs = aligned([old.text[line.start : line.end] for line in before], [text[x.start : x.end] for x in now])
    for i, j in pairs:
        now[j] = replace(now[j], element=before[i].element, kept=i)
    for gap in gaps(pairs, len(before), len(now)):
        _fill(before, now, gap, old, text)
    return tuple(_spans(old, text, before, now))


def _lines(text: str) -> Iterator[_Line]:
    start, after_blank = 0, True
    for line in text.split("\n"):
        if line.strip():
            yield _Line(start, start + len(line), after_blank)
        after_blank = not line.strip()
        start += len(line) + 1


def _owned(old: StoredText) -> Iterator[_Line]:
    """The lines of the old text with the element that each begins in."""
    at = 0
    for line in _lines(old.text):
        while at < len(old.outline) and old.outline[at].end <= line.start:
            at += 1
        inside = at < len(old.outline) and old.outline[at].start < line.end
        yield replace(line, element=at if inside else None)


def _fill(before: Sequence[_Line], now: list[_Line], gap: Gap, old: StoredText, text: str) -> None:
    """Give the new lines of a gap their elements: those of the lines that they replace, or of their neighbours."""
    gone, new = range(gap.a_start, gap.a_end), range(gap.b_start, gap.b_end)
    if len(gone) == len(new):
        replaced = list(enumerate(range(len(new))))
    else:
        replaced = rewritten(
            [old.text[before[i].start : before[i].end] for i in gone], [text[now[j].start : now[j].end] for j in new]
        )
    for i, j in replaced:
        now[new[j]] = replace(now[new[j]], element=before[gone[i]].element)
    for j in new:
        if now[j].element is None:
            now[j] = replace(now[j], element=_neighbour(now, j, old.outline))


def _neighbour(now: Sequence[_Line], j: int, outline: Sequence[Span]) -> int | None:
    """The element that a new line stands in or continues."""
    above = now[j - 1].element if j else None
    if above is None:
        return None
    below = next((line.element for line in now[j + 1 :] if line.element is not None), None)
    if above == below:
        return above
    return above if not now[j].after_blank and outline[above].kind in _GROWS else None


def _spans(old: StoredText, text: str, before: Sequence[_Line], now: Sequence[_Line]) -> Iterator[Span]:
    used = -1
    in_list = False
    for group in _groups(now):
        first = now[group[0]]
        if first.element is not None and first.element > used:
            used = first.element
            start, end = _edges(old, text, before, first, now[group[-1]])
            in_list = old.outline[used].kind is ElementKind.LIST_ITEM
            yield replace(old.outline[used], start=start, end=end)
            continue
        in_list = in_list and not first.after_blank
        kind = ElementKind.LIST_ITEM if in_list else ElementKind.TEXT
        page = old.outline[used].page if used >= 0 else None
        for part in [range(j, j + 1) for j in group] if in_list else [group]:
            yield Span(kind, *_edges(old, text, before, now[part[0]], now[part[-1]]), page)


def _groups(now: Sequence[_Line]) -> Iterator[range]:
    """Neighbouring lines that make one element."""
    start = 0
    for j in range(1, len(now) + 1):
        if j == len(now) or not _together(now[j - 1], now[j]):
            yield range(start, j)
            start = j


def _together(above: _Line, line: _Line) -> bool:
    if line.element is None:
        return above.element is None and not line.after_blank
    return line.element == above.element


def _edges(old: StoredText, text: str, before: Sequence[_Line], first: _Line, last: _Line) -> tuple[int, int]:
    """Where the element begins and ends: as far inside its lines as it did, and at visible characters elsewhere."""
    line = text[first.start : first.end]
    start = first.start + len(line) - len(line.lstrip())
    if first.kept is not None and first.element is not None:
        start = first.start + max(0, old.outline[first.element].start - before[first.kept].start)
    line = text[last.start : last.end]
    end = last.start + len(line.rstrip())
    if last.kept is not None and last.element is not None:
        end = last.end - max(0, before[last.kept].end - old.outline[last.element].end)
    return start, end
