"""Field types that several schemas share."""

import re
import unicodedata
import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kbcore.domain.document import Classification

_NAME = re.compile(r"\w[\w.@+-]{0,99}")


def _name(value: str) -> str:
    name = unicodedata.normalize("NFC", value)
    if not _NAME.fullmatch(name):
        raise ValueError("1 to 100 letters, digits or . _ - @ +, beginning with a letter or digit")
    try:
        uuid.UUID(name)
    except ValueError:
        return name
    raise ValueError("a name must not look like an id")


def _printable(value: object) -> object:
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value).strip()
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError("control characters are not allowed")
        return text
    return value


Name = Annotated[
    str,
    AfterValidator(_name),
    Field(description="Unique; 1 to 100 letters (of any script), digits or `. _ - @ +`.", examples=["li.na"]),
]

Line = Annotated[str, BeforeValidator(_printable), Field(min_length=1, max_length=500)]
"""One line of text for people, 1 to 500 characters."""

Level = Literal["public", "internal", "confidential", "restricted"]
"""A classification or a clearance, from low to high."""

RoleName = Literal["reader", "editor", "manager"]
"""What a grant allows; each role includes the ones before it."""


_LEVELS: dict[Classification, Level] = {
    Classification.PUBLIC: "public",
    Classification.INTERNAL: "internal",
    Classification.CONFIDENTIAL: "confidential",
    Classification.RESTRICTED: "restricted",
}


def level_of(classification: Classification) -> Level:
    """The word for a classification."""
    return _LEVELS[classification]
