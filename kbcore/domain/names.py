"""Names of users, groups and spaces: one rule, and how a foreign name is made to fit it."""

import re
import unicodedata
import uuid

_NAME = re.compile(r"\w[\w.@+-]{0,99}")
_FOREIGN = re.compile(r"[^\w.@+-]+")
_LONGEST = 90
"""Of a name that was made to fit: room for a suffix."""


def checked_name(value: str) -> str:
    """The name in its normal form. Raises `ValueError` if it is none."""
    name = unicodedata.normalize("NFC", value)
    if not _NAME.fullmatch(name):
        raise ValueError("1 to 100 letters, digits or . _ - @ +, beginning with a letter or digit")
    if _looks_like_id(name):
        raise ValueError("a name must not look like an id")
    return name


def fitted_name(foreign: str, *, otherwise: str) -> str:
    """A name like what another system calls it; `otherwise-…` if that is nothing, or an id.

    `CN=研发 部` → `CN-研发-部`; `6b0c…` (a UUID) → `group-6b0c…`.
    """
    name = _FOREIGN.sub("-", unicodedata.normalize("NFC", foreign))[:_LONGEST].strip(".@+-")
    return f"{otherwise}-{name}".rstrip("-") if not name or _looks_like_id(name) else name


def _looks_like_id(name: str) -> bool:
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True
