"""Blobs in a folder of this machine, or of a file system that all machines mount."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from kbcore.blobs.interface import KeptBlob, StoredBlob
from kbcore.blobs.spool import PART_BYTES, blob_place, is_blob_key, spooled, storage_errors
from kbcore.errors import NotFound

ABANDONED_S = 24 * 3600.0
"""No upload takes a day: an older temporary file was left by a process that was killed."""


class FilesystemBlobs:
    """`folder/ab/cd/<sha256>`, folders 0700 and files 0600. A file appears whole, by renaming, or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    def put(self, parts: Iterable[bytes], *, max_bytes: int) -> StoredBlob:
        """See `BlobStore.put`."""
        self._prepare()
        with spooled(parts, max_bytes=max_bytes, folder=self._incoming) as (path, stored), storage_errors():
            place = self._place(stored.sha256)
            _make_private(place.parent, below=self._folder)
            path.replace(place)
            _flush_folder(place.parent)
        return stored

    def open(self, sha256: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        return _read(self._existing(sha256))

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """See `BlobStore.local`: the stored file itself, not a copy."""
        return nullcontext(self._existing(sha256))

    def exists(self, sha256: str) -> bool:
        """See `BlobStore.exists`."""
        with storage_errors():
            return self._place(sha256).is_file()

    def keys(self) -> Iterator[KeptBlob]:
        """See `BlobStore.keys`."""
        with storage_errors():
            for path in self._folder.glob("??/??/*"):
                if is_blob_key(path.name):
                    try:
                        modified = path.stat().st_mtime
                    except FileNotFoundError:
                        continue  # deleted while the folder was listed
                    yield KeptBlob(path.name, datetime.fromtimestamp(modified, UTC))

    def delete(self, sha256: str) -> None:
        """See `BlobStore.delete`."""
        with storage_errors():
            self._place(sha256).unlink(missing_ok=True)

    def ping(self) -> None:
        """See `BlobStore.ping`."""
        self._prepare()
        with storage_errors(), tempfile.TemporaryFile(dir=self._incoming) as file:
            file.write(b"\0")

    def _place(self, sha256: str) -> Path:
        return self._folder / blob_place(sha256)

    def _existing(self, sha256: str) -> Path:
        place = self._place(sha256)
        with storage_errors():
            if not place.is_file():
                raise NotFound("blob")
        return place

    def _prepare(self) -> None:
        with storage_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            for path in self._incoming.iterdir():
                _remove_abandoned(path)


def _read(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound("blob") from None
    with file:
        while True:
            with storage_errors():
                part = file.read(PART_BYTES)
            if not part:
                return
            yield part


def _remove_abandoned(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > ABANDONED_S:
            path.unlink()
    except FileNotFoundError:
        pass  # another upload ended, or another process tidied up first


def _make_private(folder: Path, *, below: Path) -> None:
    """Make the folder and its parents (`mkdir` gives `mode` to the last one only), and flush what lists them."""
    missing = [each for each in (folder, *folder.parents) if each.is_relative_to(below) and not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        _flush_folder(each.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
