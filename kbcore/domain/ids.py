"""Identifiers: UUIDv7 text for everything that people see; they sort by creation time."""

import uuid_utils


def new_id() -> str:
    """A fresh UUIDv7 as text, 36 characters (RFC 9562)."""
    return str(uuid_utils.uuid7())


def chunk_id(document_id: str, version: int, ordinal: int) -> str:
    """The key of a chunk row: deterministic, and only `[A-Za-z0-9-]`, for pymilvus does not escape keys.

    `version` is the version that first contained the chunk; later versions with the same passage refer to the same row.
    """
    return f"{document_id}-{version}-{ordinal}"
