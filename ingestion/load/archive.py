"""Look into a zip container (docx, xlsx, pptx, odt, epub) without trusting it. Nothing is ever extracted to disk."""

import zipfile
from pathlib import Path

from kbcore.errors import ItemFailed

_ALWAYS_ALLOWED = 32 * 2**20
"""Bytes a container may unpack to whatever its ratio: small files compress absurdly well and do no harm."""
_MOST_MEMBERS = 20_000
_ENCRYPTED = 0x1


def open_archive(path: Path, max_expansion: int) -> zipfile.ZipFile:
    """The container, checked. Raises `ItemFailed`: broken_file, encrypted, archive_expands_too_much.

    The sizes checked are the declared ones; `zipfile` reads no member beyond its declared size, so they hold.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ItemFailed("broken_file", f"The container is damaged ({error}). Save the document again.") from None
    members = archive.infolist()
    if any(member.flag_bits & _ENCRYPTED for member in members):
        archive.close()
        raise ItemFailed("encrypted", "The file is password-protected. Remove the password and upload it again.")
    unpacked = sum(member.file_size for member in members)
    allowed = max(_ALWAYS_ALLOWED, max_expansion * path.stat().st_size)
    if unpacked > allowed or len(members) > _MOST_MEMBERS:
        archive.close()
        raise ItemFailed(
            "archive_expands_too_much",
            f"The container would unpack to {unpacked:,} bytes in {len(members):,} parts, more than is allowed "
            f"({allowed:,} bytes, {_MOST_MEMBERS:,} parts). Split the document, or raise parsing.max_expansion.",
        )
    return archive
