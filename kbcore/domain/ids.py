"""Identifiers: UUIDv7 text for everything that people see; they sort by creation time."""

from datetime import datetime

import uuid_utils


def new_id() -> str:
    """A fresh UUIDv7 as text, 36 characters (RFC 9562)."""
    return str(uuid_utils.uuid7())


def first_id_at(moment: datetime) -> str:
    """What sorts before every id that is made from this moment on, and after those of the millisecond before."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def chunk_id(document_id: str, version: int, ordinal: int) -> str:
    """The key of a chunk row: deterministic, and only `[A-Za-z0-9-]`, for pymilvus does not escape keys.

    `version` is the version that first contained the chunk; later versions with the same passage refer to the same row.
    """
    return f"{document_id}-{version}-{ordinal}"
