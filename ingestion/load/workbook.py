"""Excel workbooks (xlsx): a sheet is a page, its name a heading, each block of rows a table."""

import datetime
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from ingestion.load.archive import open_archive
from ingestion.load.limits import Limits
from ingestion.load.table import table_text
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import XLSX
from kbcore.errors import ItemFailed


def load(path: Path, limits: Limits) -> Loaded:
    """An .xlsx file: the values as last calculated. Hidden sheets are left out, as a reader of the file sees none."""
    open_archive(path, limits.max_expansion).close()
    import openpyxl  # noqa: PLC0415 — heavy

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            elements = tuple(_elements(sheets, limits))
            title = " ".join((book.properties.title or "").split()) or None
            book.close()
    except (BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError, EOFError) as error:
        raise ItemFailed(
            "broken_file", f"The workbook is damaged ({type(error).__name__}). Open it in Excel and save it again."
        ) from None
    return Loaded(elements, XLSX, title=title, pages=len(sheets))


def _elements(sheets: Iterable[Any], limits: Limits) -> Iterator[Element]:
    characters = 0
    for number, sheet in enumerate(sheets, 1):
        tables = []
        for rows in _tables(sheet):
            text = table_text(rows)
            characters += len(text)
            if characters > limits.max_text_chars:
                raise ItemFailed("too_much_text", f"More than {limits.max_text_chars:,} characters.", page=number)
            kind = ElementKind.TABLE if "\n" in text or text.count(" | ") else ElementKind.TEXT
            tables.append(Element(kind, text if kind is ElementKind.TABLE else text.strip("| "), number))
        if tables:
            yield Element(ElementKind.HEADING, sheet.title, number, 1)
            yield from tables


def _tables(sheet: Any) -> Iterator[list[list[str]]]:
    """Stretches of rows between empty ones. A sheet's stated dimensions are not believed."""
    sheet.reset_dimensions()
    rows: list[list[str]] = []
    for values in sheet.iter_rows(values_only=True):
        row = [_cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append(row)
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(sep=" ")
    return str(value)
