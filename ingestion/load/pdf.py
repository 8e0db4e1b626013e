"""PDF: text by pypdfium2 page by page, tables by pdfplumber's geometry, paragraphs and headings by layout."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingestion.load.headings import demote_runs
from ingestion.load.limits import Limits
from ingestion.load.pdf_lines import Line, page_lines
from ingestion.load.pdf_paragraphs import Typography, elements_of
from ingestion.load.pdf_tables import TableFinder
from kbcore.domain.chunk import Element, Loaded
from kbcore.domain.media_types import PDF
from kbcore.errors import ItemFailed

_PASSWORD_ERROR = 4
_UNSPEAKING_TITLE = re.compile(
    r"^(?:untitled|title|document\d*|microsoft (?:word|powerpoint|excel).*|.*\.\w{2,5})$", re.I
)
_UNREADABLE = re.compile("[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]")
_MOST_UNREADABLE = 0.5


def load(path: Path, limits: Limits) -> Loaded:
    """A .pdf file. `pages` counts all its pages, also those without text.

    Raises `ItemFailed`: broken_file, encrypted, too_many_pages, too_much_text, no_text (scanned, or fonts that do not
    say which characters they draw).
    """
    document = _opened(path)
    try:
        pages = len(document)
        if pages > limits.max_pages:
            raise ItemFailed("too_many_pages", f"{pages:,} pages, more than {limits.max_pages:,}. Split the document.")
        with TableFinder(path) as tables:
            lines = list(_lines(document, tables, limits))
        title = document.get_metadata_value("Title").strip()
    finally:
        document.close()
    _check_readable(lines, pages)
    typography = Typography.of(lines)
    elements: list[Element] = []
    for number in range(1, pages + 1):
        elements += elements_of([line for line in lines if line.page == number], typography)
    return Loaded(
        tuple(demote_runs(elements)),
        PDF,
        title=None if not title or _UNSPEAKING_TITLE.match(title) else title,
        pages=pages,
    )


def _opened(path: Path) -> Any:
    import pypdfium2  # noqa: PLC0415 — a C library

    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            raise ItemFailed(
                "encrypted", "The PDF is password-protected. Remove the password and upload it again."
            ) from None
        why = str(error).rstrip(".")
        raise ItemFailed("broken_file", f"Not a readable PDF ({why}). Export the document again.") from None


def _lines(document: Any, tables: TableFinder, limits: Limits) -> Iterator[Line]:
    import pypdfium2  # noqa: PLC0415

    characters = 0
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError as error:
            raise ItemFailed("broken_file", f"A page is damaged ({error}).", page=index + 1) from None
        try:
            text_page = page.get_textpage()
            lines = tables.with_tables(page, text_page, index, list(page_lines(text_page, index + 1)))
        except pypdfium2.PdfiumError as error:
            raise ItemFailed("broken_file", f"A page's text is damaged ({error}).", page=index + 1) from None
        finally:
            page.close()
        characters += sum(len(line.text) for line in lines)
        if characters > limits.max_text_chars:
            raise ItemFailed("too_much_text", f"More than {limits.max_text_chars:,} characters.", page=index + 1)
        yield from lines


def _check_readable(lines: list[Line], pages: int) -> None:
    counts = Counter(bool(_UNREADABLE.match(character)) for line in lines for character in line.text if character > " ")
    if not counts:
        raise ItemFailed(
            "no_text",
            f"None of the {pages} page(s) has text: probably a scan. OCR is not enabled; upload a version with a text "
            "layer.",
        )
    if counts[True] > _MOST_UNREADABLE * counts.total():
        raise ItemFailed(
            "no_text",
            "The PDF's fonts do not say which characters they draw. Export it again with Unicode fonts, or as .docx.",
        )
