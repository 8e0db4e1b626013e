"""A golden set in a file: JSON or JSON lines of `{"question": …, "documents": […], "space": …, "user": …}`."""

import json
import uuid
from pathlib import Path
from typing import Any

from kbcore.errors import ConfigurationError

SUFFIXES = (".jsonl", ".json")


def read_golden_file(file: Path, space: str | None) -> list[dict[str, Any]]:
    """The questions as the API takes them. `space` is where external ids are looked for if a line names no space.

    A document that looks like an id is one, anything else is an external id; `[]` says that none answers it. Raises
    `ConfigurationError` with the number of the entry that does not fit.
    """
    try:
        text = file.read_text(encoding="utf-8")
        lines = (line for line in text.split("\n") if line.strip())
        entries = json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in lines]
    except ValueError as error:
        raise ConfigurationError(f"{file} is not {file.suffix.removeprefix('.').upper()}: {error}") from None
    if isinstance(entries, dict):
        entries = entries.get("questions")
    if not isinstance(entries, list):
        raise ConfigurationError(f"{file} holds no list of questions")
    return [_question(entry, number, file, space) for number, entry in enumerate(entries, 1)]


def _question(entry: object, number: int, file: Path, space: str | None) -> dict[str, Any]:
    where = f"{file}, entry {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise ConfigurationError(f'{where}: needs {{"question": "…", "documents": ["…"]}}')
    documents = entry.get("documents")
    if not isinstance(documents, list):
        raise ConfigurationError(f"{where}: name the documents that answer it; [] if none does")
    found = [_document(document, entry.get("space") or space, where) for document in documents]
    return {"question": entry["question"], "documents": found, **({"user": entry["user"]} if entry.get("user") else {})}


def _document(document: object, space: str | None, where: str) -> object:
    if not isinstance(document, str):
        return document
    try:
        uuid.UUID(document)
    except ValueError:
        if space is None:
            raise ConfigurationError(
                f"{where}: {document!r} is an external id; name its space, or give --space"
            ) from None
        return {"space": space, "external_id": document}
    return {"document_id": document}
