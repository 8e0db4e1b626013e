"""What the worker and its parsing process say to each other: JSON in length-prefixed frames. Nothing is unpickled.

The parser has just read a hostile file, so what it answers is checked field by field before it becomes a `Loaded`.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from ingestion.load.limits import Limits
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import SUPPORTED
from kbcore.errors import ItemError, ItemFailed, ItemSkipped

LENGTH = struct.Struct(">Q")
_KINDS = frozenset(kind.value for kind in ElementKind)


class MalformedAnswerError(Exception):
    """The parsing process answered something that it never should."""


def write_frame(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Send one message; lone surrogates survive as escapes."""
    body = json.dumps(message).encode("ascii")
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None at the end of the stream. For the trusting side (the parser reads its parent)."""
    prefix = stream.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    return parse_body(stream.read(LENGTH.unpack(prefix)[0]))


def parse_body(body: bytes) -> dict[str, Any]:
    """A frame's JSON object. Raises `MalformedAnswerError`."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswerError(f"not JSON: {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise MalformedAnswerError("not an object")
    return message


def longest_answer(limits: Limits) -> int:
    """Bytes: every character as an escaped surrogate pair would be 12, and a frame around each element."""
    return 16 * 2**20 + 12 * limits.max_text_chars


def request(path: str, file_name: str, limits: Limits) -> dict[str, Any]:
    """The message that asks for one document."""
    return {"path": path, "file_name": file_name, "limits": asdict(limits)}


def loaded_message(loaded: Loaded) -> dict[str, Any]:
    """The answer that carries a document."""
    elements = [[element.kind.value, element.text, element.page, element.depth] for element in loaded.elements]
    return {"elements": elements, "media_type": loaded.media_type, "title": loaded.title, "pages": loaded.pages}


def error_message(error: ItemError) -> dict[str, Any]:
    """The answer that carries a reason."""
    outcome = "skipped" if isinstance(error, ItemSkipped) else "failed"
    return {"outcome": outcome, "code": error.code, "detail": error.detail, "page": error.page}


def parse_answer(message: Mapping[str, Any]) -> Loaded:
    """The document of an answer. Raises the `ItemSkipped` or `ItemFailed` in it, or `MalformedAnswerError`."""
    if "outcome" in message:
        kind = ItemSkipped if message["outcome"] == "skipped" else ItemFailed
        raise kind(
            _text(message.get("code"))[:64], _text(message.get("detail"))[:1000], page=_number(message.get("page"))
        )
    elements = message.get("elements")
    if not isinstance(elements, list) or message.get("media_type") not in SUPPORTED:
        raise MalformedAnswerError("neither a document nor a reason")
    title = message.get("title")
    return Loaded(
        elements=tuple(_element(fields) for fields in elements),
        media_type=_text(message["media_type"]),
        title=None if title is None else _text(title),
        pages=_number(message.get("pages")),
    )


def _element(fields: object) -> Element:
    if not isinstance(fields, list) or len(fields) != 4 or fields[0] not in _KINDS:
        raise MalformedAnswerError("not an element")
    kind, text, page, depth = fields
    return Element(ElementKind(kind), _text(text), _number(page), _number(depth))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedAnswerError("not a text")
    return value


def _number(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedAnswerError("not a number")
    return value
