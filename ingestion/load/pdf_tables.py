"""Tables drawn with lines in a PDF: pdfplumber finds the cells, pdfium reads them."""

import logging
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from ingestion.load.pdf_lines import Line
from ingestion.load.table import table_text

_FEWEST_PATHS, _MOST_PATHS = 4, 1500
"""Drawn lines of a page with tables; more of them are a drawing, which would take pdfplumber minutes."""
_MOST_CHARACTERS = 20_000
_MOST_PAGES = 300
"""Pages of one document that are searched; a fixed number, so that the result does not depend on the machine."""
_FEWEST_FILLED = 0.3
_WRAPPED_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*[\r\n]+\s*(?=[\u3000-\u9fff\uff00-\uffef])")

Box = tuple[float, float, float, float]  # left, bottom, right, top in PDF coordinates


class TableFinder(AbstractContextManager["TableFinder"]):
    """Searches the pages of one file for tables; opens it only when a page looks as if it had one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._plumber: Any = None
        self._searched = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._plumber is not None:
            self._plumber.close()

    def with_tables(self, page: Any, text_page: Any, index: int, lines: list[Line]) -> list[Line]:
        """The page's lines, those inside a table replaced by the table."""
        if self._searched >= _MOST_PAGES or not lines or not _may_have_tables(page, text_page):
            return lines
        self._searched += 1
        for box, text in self._tables(text_page, index):
            inside = [line for line in lines if _is_inside(line, box)]
            if inside:
                first = inside[0]
                table = Line(text, first.page, box[0], box[2], box[1], first.size, is_table=True)
                dropped = {id(line) for line in inside[1:]}
                lines = [table if line is first else line for line in lines if id(line) not in dropped]
        return lines

    def _tables(self, text_page: Any, index: int) -> Iterator[tuple[Box, str]]:
        import pdfplumber  # noqa: PLC0415 — heavy
        from pdfminer.pdfexceptions import PDFException  # noqa: PLC0415

        logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
        try:
            if self._plumber is None:
                self._plumber = pdfplumber.open(self._path)
            page = self._plumber.pages[index]
            found = page.find_tables()
            height = float(page.mediabox[3])
        except (
            PDFException,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            AssertionError,
            RecursionError,
        ):
            return
        for table in found:
            rows = [[_cell(text_page, cell, height) for cell in row.cells] for row in table.rows]
            cells = [text for row in rows for text in row]
            filled = sum(1 for text in cells if text)
            if len(rows) >= 2 and max(map(len, rows)) >= 2 and filled >= _FEWEST_FILLED * len(cells):
                yield _flipped(table.bbox, height), table_text(rows)
        page.close()


def _may_have_tables(page: Any, text_page: Any) -> bool:
    from pypdfium2 import raw  # noqa: PLC0415 — a C library

    if page.get_rotation() or text_page.count_chars() > _MOST_CHARACTERS:
        return False
    paths = sum(1 for _ in islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=2), _MOST_PATHS + 1))
    return _FEWEST_PATHS <= paths <= _MOST_PATHS


def _cell(text_page: Any, box: Box | None, height: float) -> str:
    """A cell's text; empty for a place that a merged cell covers."""
    if box is None:
        return ""
    left, bottom, right, top = _flipped(box, height)
    text = text_page.get_text_bounded(left, bottom, right, top).replace("\ufffe", "")
    return " ".join(_WRAPPED_CHINESE.sub("", text).split())


def _flipped(box: Box, height: float) -> Box:
    """From pdfplumber's top-left origin to PDF's lower left one."""
    left, top, right, bottom = box
    return left, height - bottom, right, height - top


def _is_inside(line: Line, box: Box) -> bool:
    left, bottom, right, top = box
    middle = line.bottom + 0.3 * line.size
    return bottom <= middle <= top and left - 2 <= (line.left + line.right) / 2 <= right + 2
