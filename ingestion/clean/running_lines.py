"""Find running headers, footers and page numbers: lines that come back at the same edge of page after page."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from kbcore.domain.chunk import Element, ElementKind

EDGE_LINES = 2
"""How many lines at the top and at the bottom of a page are looked at."""
PAGES = 3
"""On how many pages near each other a line must stand to be a running one: a form's "□ 适用" now and then is none."""
_LONGEST = 120
_MOST_NUMBERS = 3
_NUMBER = re.compile(r"[0-9]{1,6}")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_ROMAN = re.compile(r"^[ivxlc]{1,7}$", re.IGNORECASE)
_SKIPPED = (ElementKind.TABLE, ElementKind.CODE, ElementKind.HEADER, ElementKind.FOOTER)

Place = tuple[int, int]  # element, line in it


def separate_running_lines(elements: Sequence[Element]) -> list[Element]:
    """The elements with running lines taken out of their texts and marked `HEADER` or `FOOTER`, in reading order.

    Numbers that count along with the pages are page numbers, so "第 3 页 共 9 页" repeats; lines that differ in other
    numbers are text. Elements without a page stay.
    """
    pages: dict[int, list[Place]] = defaultdict(list)
    for index, element in enumerate(elements):
        if element.page is not None and element.kind not in _SKIPPED:
            pages[element.page] += [(index, line) for line in range(element.text.count("\n") + 1)]
    tops = {page: places[: min(EDGE_LINES, (len(places) + 1) // 2)] for page, places in pages.items()}
    bottoms = {page: places[max(len(places) - EDGE_LINES, len(tops[page])) :] for page, places in pages.items()}
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
    shapes = {
        place: _shapes(elements[place[0]].text.split("\n")[place[1]], page)
        for page, edge in edges.items()
        for place in edge
    }
    pages: dict[str, set[int]] = defaultdict(set)
    for page, edge in edges.items():
        for shape in (shape for place in edge for shape in shapes[place]):
            pages[shape].add(page)
    return {
        place
        for page, edge in edges.items()
        for place in edge
        if any(len(pages[shape] & near) >= PAGES for shape in shapes[place] for near in _neighbourhoods(page))
    }


def _neighbourhoods(page: int) -> tuple[set[int], set[int]]:
    """Pages next to this one, and (left and right pages have different headers) every other one."""
    return set(range(page - 2, page + 3)), set(range(page - 4, page + 5, 2))


def _shapes(line: str, page: int) -> set[str]:
    """The line as it would read on every page: each number as it stands, or as its distance to the page's."""
    bare = "".join(line.split())
    if not bare or len(bare) > _LONGEST:
        return set()
    words = _NUMBER.split(bare)
    numbers = [int(number) for number in _NUMBER.findall(bare)]
    if _ROMAN.match(bare):
        words, numbers = ["", ""], [_roman(bare)]
    if len(numbers) > _MOST_NUMBERS:
        return {bare}
    readings = product(*((f"{number}", f"[{number - page:+}]") for number in numbers))
    return {"".join(word + number for word, number in zip(words, (*reading, ""), strict=True)) for reading in readings}


def _roman(numeral: str) -> int:
    values = [_ROMAN_DIGITS[digit] for digit in numeral.lower()]
    return sum(-value if value < max(values[index:]) else value for index, value in enumerate(values))


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
