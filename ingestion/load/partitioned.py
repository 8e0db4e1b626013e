"""From `unstructured`'s elements to ours."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from ingestion.load.table import rows_of_html, table_text
from kbcore.domain.chunk import Element, ElementKind

LANGUAGES = ["zho", "eng"]
"""Given to every partitioner: left to itself it takes Chinese for Korean, and spends time on it."""
_KINDS = {
    "ListItem": ElementKind.LIST_ITEM,
    "CodeSnippet": ElementKind.CODE,
    "Header": ElementKind.HEADER,
    "Footer": ElementKind.FOOTER,
    "PageNumber": ElementKind.FOOTER,
}
_IGNORED = {"PageBreak", "Image"}
_BULLET = "- "
_MARKED = re.compile(r"[-•①-⑳]|[（(]?[0-9A-Za-z一二三四五六七八九十]{1,4}(?:\.\d+)*[.)、．）]")


def converted(found: Iterable[Any], is_heading: Callable[[Any], bool]) -> list[Element]:
    """Our elements, in order. `is_heading` says whether a `Title` is one: the library guesses, styles know."""
    elements = []
    for item in found:
        name = type(item).__name__
        if name in _IGNORED:
            continue
        page = item.metadata.page_number
        if name == "Table":
            markup = item.metadata.text_as_html
            text = table_text(rows_of_html(markup)) if markup else item.text
            elements.append(Element(ElementKind.TABLE, text, page))
        elif name == "Title" and is_heading(item):
            elements.append(Element(ElementKind.HEADING, item.text, page, (item.metadata.category_depth or 0) + 1))
        else:
            kind = _KINDS.get(name, ElementKind.TEXT)
            elements.append(Element(kind, _listed(item.text) if kind is ElementKind.LIST_ITEM else item.text, page))
    return [element for element in elements if element.text.strip()]


def styled(item: Any) -> bool:
    """`is_heading` for documents whose titles come from paragraph styles only."""
    return item.metadata.category_depth is not None


def _listed(text: str) -> str:
    """A list item with its mark: its own number, or a dash."""
    return text if _MARKED.match(text) else _BULLET + text
