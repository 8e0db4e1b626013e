"""Read a file: find out what it is, call its loader, hold the result against the limits.

This is what the parsing process does for each document; call `ParserProcess` instead, files are not to be trusted.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ingestion.load.limits import Limits
from ingestion.load.media_type import detect
from kbcore.domain import media_types as known
from kbcore.domain.chunk import Loaded
from kbcore.errors import ItemFailed, ItemSkipped

Loader = Callable[[Path, Limits], Loaded]

LOADERS: dict[str, tuple[str, str]] = {
    known.TEXT: ("plain_text", "load"),
    known.MARKDOWN: ("markdown", "load"),
    known.HTML: ("web_page", "load"),
    known.CSV: ("delimited", "load_csv"),
    known.TSV: ("delimited", "load_tsv"),
    known.JSON: ("json_data", "load_json"),
    known.JSON_LINES: ("json_data", "load_json_lines"),
    known.PDF: ("pdf", "load"),
    known.DOCX: ("word", "load"),
    known.PPTX: ("slides", "load"),
    known.XLSX: ("workbook", "load"),
    known.ODT: ("opendocument", "load"),
    known.EPUB: ("epub", "load"),
    known.EML: ("mail", "load"),
    known.MSG: ("outlook", "load"),
}
"""Media type → module beside this one, and its function; imported when first needed."""


def read(path: Path, file_name: str, limits: Limits) -> Loaded:
    """What is in the file. Deterministic: the same bytes and name give the same result.

    Raises `ItemSkipped` or `ItemFailed` with the codes of the modules here, and too_much_text, no_text, empty_file.
    """
    media_type = detect(path, file_name, limits.max_expansion)
    loaded = _loader(media_type)(path, limits)
    characters = sum(len(element.text) for element in loaded.elements)
    if characters > limits.max_text_chars:
        raise ItemFailed(
            "too_much_text",
            f"{characters:,} characters of text, more than {limits.max_text_chars:,}. Split the document, or raise "
            "parsing.max_text_chars.",
        )
    if not any(element.text.strip() for element in loaded.elements):
        if media_type in (known.TEXT, known.MARKDOWN, known.CSV, known.TSV):
            raise ItemSkipped("empty_file", "The file has no text, only white space.")
        raise ItemFailed("no_text", "No text was found in the file (pictures are not read: OCR is not enabled).")
    return loaded


def _loader(media_type: str) -> Loader:
    module, function = LOADERS[media_type]
    loader: Loader = getattr(import_module(f"ingestion.load.{module}"), function)
    return loader
