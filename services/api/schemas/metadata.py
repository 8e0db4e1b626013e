"""Free metadata of documents: a small JSON object that can be stored, filtered by, and shown."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_MAX_BYTES = 16_384
_MAX_DEPTH = 5


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, UnicodeEncodeError):
        raise ValueError("NaN, infinite numbers and broken characters cannot be stored") from None
    if size > _MAX_BYTES:
        raise ValueError(f"at most {_MAX_BYTES:,} bytes of JSON")
    if _depth(value) > _MAX_DEPTH:
        raise ValueError(f"at most {_MAX_DEPTH} levels deep")
    if "\x00" in "".join(_strings(value)):
        raise ValueError("NUL characters cannot be stored")
    return value


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in (*value.keys(), *value.values()) for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return []


Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_metadata),
    Field(description="Any JSON object, at most 16,384 bytes and 5 levels deep; searches can filter by it."),
]
