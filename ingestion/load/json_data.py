"""JSON and JSON Lines: a list of records becomes a table, anything else lines of `path: value`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.table import table_text
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import JSON, JSON_LINES
from kbcore.errors import ItemFailed

_LONGEST_CELL = 300
"""Characters. Records with longer values read better as separate texts than as rows."""


def load_json(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """A JSON file."""
    return Loaded(tuple(_elements(_parsed(decode(path.read_bytes()), 1))), JSON)


def load_json_lines(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001
    """A file with one JSON value a line."""
    lines = decode(path.read_bytes()).splitlines()
    values = [_parsed(line, number) for number, line in enumerate(lines, 1) if line.strip()]
    return Loaded(tuple(_elements(values)), JSON_LINES)


def _parsed(text: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno + first_line - 1}, column {error.colno}"
        raise ItemFailed("broken_file", f"Not valid JSON at {place}: {error.msg}.") from None
    except (RecursionError, ValueError) as error:
        raise ItemFailed("broken_file", f"The JSON cannot be read: {type(error).__name__}.") from None


def _elements(value: Any) -> Iterator[Element]:
    if _is_records(value):
        columns = list(dict.fromkeys(key for record in value for key in record))
        rows = [columns, *([_scalar(record.get(key)) for key in columns] for record in value)]
        yield Element(ElementKind.TABLE, table_text(rows))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _part(str(key), part)
    elif isinstance(value, list):
        for number, part in enumerate(value, 1):
            yield from _part(str(number), part)
    else:
        yield Element(ElementKind.TEXT, _scalar(value))


def _part(name: str, value: Any) -> Iterator[Element]:
    if _is_records(value):
        yield Element(ElementKind.HEADING, name, depth=1)
        yield from _elements(value)
    else:
        yield Element(ElementKind.TEXT, "\n".join(_lines(name, value)))


def _lines(name: str, value: Any) -> Iterator[str]:
    """`a.b: value` for every scalar below `value`, depth first and in order."""
    pending = [(name, value)]
    while pending:
        path, part = pending.pop()
        if isinstance(part, dict):
            pending += reversed([(f"{path}.{key}", inner) for key, inner in part.items()])
        elif isinstance(part, list) and any(isinstance(inner, dict | list) for inner in part):
            pending += reversed([(f"{path}.{number}", inner) for number, inner in enumerate(part, 1)])
        elif isinstance(part, list):
            yield f"{path}: {', '.join(_scalar(inner) for inner in part)}"
        else:
            yield f"{path}: {_scalar(part)}"


def _is_records(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(record, dict) and record for record in value)
        and all(
            not isinstance(cell, dict | list) and len(_scalar(cell)) <= _LONGEST_CELL
            for record in value
            for cell in record.values()
        )
    )


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)
