"""Find running headers, footers and page numbers: lines that come back at the same edge of page after page."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from kbcore.domain.chunk import Element, ElementKind

EDGE_LINES = 2
"""How many lines at the top and at the bottom of a page are looked at."""
PAGES = 3
"""On how many pages near each other a line must stand to be a running one: a form's "□ 适用" now and then is none."""
_LONGEST = 120
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"^[ivxlc]{1,7}$", re.IGNORECASE)
_SKIPPED = (ElementKind.TABLE, ElementKind.CODE, ElementKind.HEADER, ElementKind.FOOTER)

Place = tuple[int, int]  # element, line in it


def separate_running_lines(elements: Sequence[Element]) -> list[Element]:
    """The elements with running lines taken out of their texts and marked `HEADER` or `FOOTER`, in reading order.

    Lines are compared with digits made equal, so that "第 3 页 共 9 页" repeats. Elements without a page stay.
    """
    pages: dict[int, list[Place]] = defaultdict(list)
    for index, element in enumerate(elements):
        if element.page is not None and element.kind not in _SKIPPED:
            pages[element.page] += [(index, line) for line in range(element.text.count("\n") + 1)]
    tops = {page: places[:EDGE_LINES] for page, places in pages.items()}
    bottoms = {page: places[-EDGE_LINES:] for page, places in pages.items()}
    marked = {
        **dict.fromkeys(_repeated(elements, bottoms), ElementKind.FOOTER),
        **dict.fromkeys(_repeated(elements, tops), ElementKind.HEADER),
    }
    for places in pages.values():
        if all(place in marked for place in places):
            marked = {
                place: kind for place, kind in marked.items() if place not in places or not _has_words(elements, place)
            }
    return [part for index, element in enumerate(elements) for part in _split(element, index, marked)]


def _repeated(elements: Sequence[Element], edges: Mapping[int, Sequence[Place]]) -> set[Place]:
    """The places whose line stands at this edge of enough pages near by."""
    shapes = {place: _shape(elements[place[0]].text.split("\n")[place[1]]) for edge in edges.values() for place in edge}
    pages: dict[str, set[int]] = defaultdict(set)
    for page, edge in edges.items():
        for place in edge:
            pages[shapes[place]].add(page)
    return {
        place
        for page, edge in edges.items()
        for place in edge
        if shapes[place] and any(len(pages[shapes[place]] & near) >= PAGES for near in _neighbourhoods(page))
    }


def _neighbourhoods(page: int) -> tuple[set[int], set[int]]:
    """Pages next to this one, and (left and right pages have different headers) every other one."""
    return set(range(page - 2, page + 3)), set(range(page - 4, page + 5, 2))


def _shape(line: str) -> str:
    """What is the same on every page; empty for a line that is too long to be a running one."""
    bare = "".join(line.split())
    if len(bare) > _LONGEST:
        return ""
    return _ROMAN.sub("0", _DIGITS.sub("0", bare))


def _has_words(elements: Sequence[Element], place: Place) -> bool:
    """Whether a line says more than a page number does; such lines stay if they are all that a page has."""
    return any(character.isalpha() for character in elements[place[0]].text.split("\n")[place[1]])


def _split(element: Element, index: int, marked: dict[Place, ElementKind]) -> Iterator[Element]:
    lines = element.text.split("\n")
    if not any((index, line) in marked for line in range(len(lines))):
        yield element
        return
    rest = [text for line, text in enumerate(lines) if (index, line) not in marked]
    running = [(marked[index, line], text) for line, text in enumerate(lines) if (index, line) in marked]
    yield from (Element(kind, text, element.page) for kind, text in running if kind is ElementKind.HEADER)
    if rest:
        yield replace(element, text="\n".join(rest))
    yield from (Element(kind, text, element.page) for kind, text in running if kind is ElementKind.FOOTER)
