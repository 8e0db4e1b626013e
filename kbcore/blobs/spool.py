"""A stream on its way into a store: counted, hashed, and kept in a temporary file until it is whole."""

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kbcore.blobs.interface import StoredBlob
from kbcore.errors import TooLarge, Unavailable

PART_BYTES = 1 << 20
"""The most that is read from a store at once."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_blob_key(name: str) -> bool:
    """True for 64 lower-case hex digits."""
    return _SHA256.fullmatch(name) is not None


def blob_place(sha256: str) -> str:
    """`ab/cd/abcd…`: where a blob lies below the store's root. Raises `ValueError` for anything but 64 hex digits."""
    if not is_blob_key(sha256):
        raise ValueError("a blob's key is 64 lower-case hex digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


@contextmanager
def spooled(parts: Iterable[bytes], *, max_bytes: int, folder: Path | None = None) -> Iterator[tuple[Path, StoredBlob]]:
    """A temporary file (mode 0600, flushed to disk) with the whole stream; it may be moved away, else it is removed.

    Raises `TooLarge` past `max_bytes`, and `Unavailable` when the disk does not take it.
    """
    with storage_errors():
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    path = Path(name)
    try:
        try:
            stored = _write(descriptor, parts, max_bytes)
        finally:
            os.close(descriptor)
        yield path, stored
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what the disk says into what a person can act on. Paths stay out: the text reaches callers of the API."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise Unavailable(
                "The disk that stores uploaded files is full. Free some space, then send the file again."
            ) from error
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise Unavailable(f"The disk that stores uploaded files does not work: {reason}.") from error


def _write(descriptor: int, parts: Iterable[bytes], max_bytes: int) -> StoredBlob:
    digest = hashlib.sha256()
    size = 0
    for part in parts:
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"The file is larger than the limit of {max_bytes:,} bytes.")
        digest.update(part)
        rest = memoryview(part)
        with storage_errors():
            while rest:
                rest = rest[os.write(descriptor, rest) :]
    with storage_errors():
        os.fsync(descriptor)
    return StoredBlob(digest.hexdigest(), size)
