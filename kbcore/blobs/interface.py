"""Original bytes, addressed by their SHA-256: the key never comes from a request."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What was stored: `sha256` is 64 hex digits, `size` in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class KeptBlob:
    """What is there: `stored_at` is when its bytes last arrived, in UTC."""

    sha256: str
    stored_at: datetime


class BlobStore(Protocol):
    """Content-addressed and write-once; storing the same bytes twice is one blob."""

    def put(self, parts: Iterable[bytes], *, max_bytes: int) -> StoredBlob:
        """Store a stream; on disk (fsync) when this returns. Raises `TooLarge` past `max_bytes` and keeps nothing."""

    def open(self, sha256: str) -> Iterator[bytes]:
        """The bytes, in parts of at most 1 MiB. Raises `NotFound("blob")`."""

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A local file with the bytes, for as long as the context lasts: what a parsing process reads."""

    def exists(self, sha256: str) -> bool:
        """True if the bytes are there."""

    def keys(self) -> Iterator[KeptBlob]:
        """Every blob, in any order, as the store is while it is listed."""

    def delete(self, sha256: str) -> None:
        """Remove; does nothing if there is none."""

    def ping(self) -> None:
        """Return if the store can be written, raise `Unavailable` if not."""
