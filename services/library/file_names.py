"""File names from outside: only the last part, nothing that hides or commands."""

import unicodedata

from kbcore.errors import Unprocessable

_MAX_BYTES = 255
"""The longest name that common file systems take, in bytes of UTF-8."""

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Control, invisible and direction-changing characters, surrogates, unassigned ones, line separators."""


def safe_file_name(raw: str) -> str:
    """The base name, NFC, without unsafe characters, at most 255 bytes with its extension kept.

    Raises `Unprocessable` (`file_name_missing`) if nothing is left.
    """
    name = raw.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(" " if character.isspace() else character for character in unicodedata.normalize("NFC", name))
    name = "".join(character for character in name if unicodedata.category(character) not in _UNSAFE)
    name = name.strip(" .") if set(name) <= {" ", "."} else name.lstrip(" ").rstrip(" .")
    if not name:
        raise Unprocessable("The file has no usable name; send one, like report.pdf.", code="file_name_missing")
    return _shortened(name)


def title_from(file_name: str) -> str:
    """A document's title when none is given: the file name without its extension."""
    stem, dot, _ = file_name.rpartition(".")
    return stem if dot and stem else file_name


def _shortened(name: str) -> str:
    if len(name.encode()) <= _MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = f"{dot}{extension}" if stem and len(extension.encode()) <= 20 else ""
    room = _MAX_BYTES - len(ending.encode())
    return name.removesuffix(ending).encode()[:room].decode(errors="ignore") + ending
