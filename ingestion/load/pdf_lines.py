"""The lines of a PDF page with what layout needs to know of them: place and font size."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot
from typing import Any

_LINE = re.compile(r"[^\r\n\ufffe]+(?P<hyphen>\ufffe)?")
"""pdfium writes U+FFFE where a hyphen ends a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or a whole table in place of its lines.

    Coordinates (from the page's lower left corner) and font size are in points.
    """

    text: str
    page: int
    left: float
    right: float
    bottom: float
    size: float
    is_table: bool = False


def page_lines(text_page: Any, number: int) -> Iterator[Line]:
    """The lines of a pypdfium2 text page, in reading order as pdfium sees it."""
    text = text_page.get_text_range()
    for match in _LINE.finditer(text):
        words = match.group().rstrip("\ufffe")
        if not words.strip():
            continue
        first = match.start() + len(words) - len(words.lstrip())
        last = match.start() + len(words.rstrip()) - 1
        left, bottom, _, _ = text_page.get_charbox(first)
        _, _, right, _ = text_page.get_charbox(last)
        yield Line(
            text=words.strip() + ("-" if match["hyphen"] else ""),
            page=number,
            left=left,
            right=right,
            bottom=bottom,
            size=_size(text_page, first),
        )


def _size(text_page: Any, index: int) -> float:
    """The font size of a character in points: what the text states, scaled by its matrix (producers use either)."""
    from pypdfium2 import raw  # noqa: PLC0415 — a C library

    matrix = raw.FS_MATRIX()
    stated = float(raw.FPDFText_GetFontSize(text_page, index))
    scaled = raw.FPDFText_GetMatrix(text_page, index, matrix)
    return round(stated * (hypot(matrix.b, matrix.d) if scaled else 1.0), 1)
