"""Lines of a page to headings, paragraphs and list items."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingestion.load.headings import heading_depth
from ingestion.load.pdf_lines import Line
from kbcore.domain.chunk import Element, ElementKind

_ITEM = re.compile(
    r"^(?:[-•·▪●○◆■□➢✓\uf0b7\uf0a7\uf0d8\uf06c]\s*|\d{1,2}[.)、．]\s*(?=[^\d\s])|[（(]\d{1,2}[)）]\s*|[①-⑳])\S"
)
_TERMINAL = re.compile(r"[。！？；：.!?;:…][\"'”’）)」』】]*$")
_SENTENCE = re.compile(r"[。；，,;]|[.!?]$")
_BIGGER = 1.15
_LONGEST_HEADING = 80
_MOST_SIZES = 3


@dataclass(frozen=True, slots=True)
class Typography:
    """The document's body size (points) and the sizes of its headings, largest first."""

    body: float
    heading_sizes: tuple[float, ...]

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Typography":
        """Measured over all lines: the body is what most characters are set in."""
        amounts: Counter[float] = Counter()
        for line in lines:
            if not line.is_table:
                amounts[line.size] += len(line.text)
        if not amounts:
            return cls(0.0, ())
        body = amounts.most_common(1)[0][0]
        larger = sorted((size for size in amounts if size >= body * _BIGGER), reverse=True)
        return cls(body, tuple(larger))

    def depth(self, text: str, size: float) -> int | None:
        """A heading's depth: by its wording, or by its size. `text` may have several lines."""
        by_wording = heading_depth(text)
        if by_wording is not None:
            return by_wording
        is_short = len(text) <= _LONGEST_HEADING and any(character.isalpha() for character in text)
        if size not in self.heading_sizes or not is_short or _SENTENCE.search(text):
            return None
        return min(self.heading_sizes.index(size) + 1, _MOST_SIZES)


def elements_of(lines: Sequence[Line], typography: Typography) -> Iterator[Element]:
    """The elements of one page, in reading order. Paragraphs keep their line breaks; cleaning joins them."""
    prose = [line for line in lines if not line.is_table]
    leading = _leading(prose)
    right = max((line.right for line in prose), default=0.0)
    group: list[Line] = []
    for line in lines:
        if group and not _continues(group, line, typography, leading, right):
            yield _element(group, typography)
            group = []
        group.append(line)
    if group:
        yield _element(group, typography)


def _element(group: Sequence[Line], typography: Typography) -> Element:
    first = group[0]
    text = "\n".join(line.text for line in group)
    if first.is_table:
        return Element(ElementKind.TABLE, text, first.page)
    depth = typography.depth(text, first.size)
    if depth is not None:
        return Element(ElementKind.HEADING, text, first.page, depth)
    kind = ElementKind.LIST_ITEM if _ITEM.match(first.text) else ElementKind.TEXT
    return Element(kind, text, first.page)


def _continues(group: Sequence[Line], line: Line, typography: Typography, leading: float, right: float) -> bool:
    """Whether `line` belongs to the paragraph (or the heading) that `group` has begun."""
    last = group[-1]
    if line.is_table or last.is_table or abs(line.size - last.size) > 0.12 * last.size:
        return False
    drop = last.bottom - line.bottom
    if abs(drop) < 0.5 * last.size:
        return True
    if heading_depth(line.text) is not None or heading_depth(group[0].text) is not None:
        return False
    if line.size > _BIGGER * typography.body and 0 < drop <= 1.6 * line.size:
        return True
    starts_item, in_item = bool(_ITEM.match(line.text)), bool(_ITEM.match(group[0].text))
    if drop <= 0:
        return not starts_item and not _TERMINAL.search(last.text)
    indented = line.left - last.left > 1.2 * line.size and not in_item
    filled = (last.right - last.left) / max(right - last.left, 1.0)
    unfinished = filled > 0.93 or (filled > 0.7 and not _TERMINAL.search(last.text))
    return not starts_item and drop <= 1.35 * leading and not indented and unfinished


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance of two lines, in points."""
    drops = [
        above.bottom - below.bottom
        for above, below in pairwise(lines)
        if 0.5 * below.size < above.bottom - below.bottom < 3 * max(below.size, 1.0)
    ]
    return median(drops) if drops else 14.0
