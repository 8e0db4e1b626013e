"""Clean: from what a loader found to the text that is stored, cited and cut into chunks.

    characters → running lines → line breaks → spacing → assembled

The last three repair what laying out on pages did to a text, so they run on what was read from pages (PDF); hard
wraps are joined in plain text too, where they are recognised. Pure: the same input gives the same text.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ingestion.clean.characters import normalize
from ingestion.clean.cjk_spacing import close_gaps
from ingestion.clean.line_breaks import is_hard_wrapped, join_lines, vocabulary
from ingestion.clean.running_lines import separate_running_lines
from kbcore.domain.chunk import Element, ElementKind, Loaded, Span, StoredText
from kbcore.domain.media_types import EML, MSG, PDF, TEXT

_PROSE = (ElementKind.TEXT, ElementKind.HEADING, ElementKind.LIST_ITEM)
_WRAPPED_TYPES = (TEXT, EML, MSG)
_DROPPED = (ElementKind.HEADER, ElementKind.FOOTER)


def clean(loaded: Loaded) -> tuple[StoredText, dict[str, int]]:
    """The stored text with its outline, and how many elements of each kind there were.

    Running headers and footers are counted and dropped. The counts have the words of `ElementKind` as keys, and
    `pages_without_text` when pages gave nothing (scanned ones, say).
    """
    elements = [replace(element, text=_normalized(element)) for element in loaded.elements]
    if loaded.media_type == PDF:
        elements = _unpaged(separate_running_lines(elements))
    elif loaded.media_type in _WRAPPED_TYPES:
        elements = _unwrapped(elements)
    elements = [element for element in elements if element.text.strip()]
    counts = Counter(element.kind.value for element in elements)
    silent = _pages_without_text(loaded, elements)
    if silent:
        counts["pages_without_text"] = silent
    return _assembled(element for element in elements if element.kind not in _DROPPED), dict(counts)


def _normalized(element: Element) -> str:
    return normalize(element.text, keep_layout=element.kind is ElementKind.CODE)


def _unpaged(elements: Sequence[Element]) -> list[Element]:
    words = vocabulary(element.text for element in elements)
    return [
        replace(element, text=close_gaps(join_lines(element.text, words)))
        if element.kind in _PROSE
        else replace(element, text=close_gaps(element.text))
        for element in elements
    ]


def _unwrapped(elements: Sequence[Element]) -> list[Element]:
    words = vocabulary(element.text for element in elements)
    return [
        replace(element, text=join_lines(element.text, words))
        if element.kind is ElementKind.TEXT and is_hard_wrapped(element.text)
        else element
        for element in elements
    ]


def _pages_without_text(loaded: Loaded, elements: Sequence[Element]) -> int:
    if loaded.pages is None:
        return 0
    return max(0, loaded.pages - len({element.page for element in elements if element.page is not None}))


def _assembled(elements: Iterable[Element]) -> StoredText:
    """Elements two newlines apart, the items of a list one."""
    parts: list[str] = []
    outline: list[Span] = []
    position = 0
    for element in elements:
        if outline:
            in_list = element.kind is ElementKind.LIST_ITEM is outline[-1].kind
            gap = "\n" if in_list else "\n\n"
            parts.append(gap)
            position += len(gap)
        parts.append(element.text)
        outline.append(Span(element.kind, position, position + len(element.text), element.page, element.depth))
        position += len(element.text)
    return StoredText("".join(parts), tuple(outline))
