"""CSV and TSV: one table, its first row the header."""

import csv
from collections import Counter
from pathlib import Path

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.table import table_text
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import CSV, TSV
from kbcore.errors import ItemFailed

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_LONGEST_FIELD = 1_000_000


def load_csv(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """A CSV file, with whatever delimiter it uses."""
    text = decode(path.read_bytes())
    return Loaded(_table(text, _delimiter(text)), CSV)


def load_tsv(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001
    """A file of tab-separated values."""
    return Loaded(_table(decode(path.read_bytes()), "\t"), TSV)


def _table(text: str, delimiter: str) -> tuple[Element, ...]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(text.replace("\0", "").splitlines(keepends=True), delimiter=delimiter)
    try:
        table = table_text(reader)
    except csv.Error as error:
        raise ItemFailed("broken_file", f"Line {reader.line_num} is not valid CSV: {error}.") from None
    return (Element(ElementKind.TABLE, table),) if table else ()


def _delimiter(text: str) -> str:
    """The delimiter that most lines have equally often."""
    lines = [line for line in text[:65_536].splitlines()[:_SAMPLE_LINES] if line.strip()]
    scores = {}
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, lines_of_it = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        scores[delimiter] = (lines_of_it, width) if width > 1 else (0, 0)
    best = max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
    return best if scores[best][0] else ","
