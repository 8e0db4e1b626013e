"""Field types that several schemas share."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from kbcore.domain.document import Classification
from kbcore.domain.names import checked_name


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises `ValueError` if it has no offset, or lies outside the years 1 to 9999 there.

    PostgreSQL keeps moments that Python cannot read back: one such row would break every list that it is in.
    """
    if moment.tzinfo is None:
        raise ValueError("needs an offset, like Z or +08:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 in UTC") from None


def _printable(value: object) -> object:
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value).strip()
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValueError("control characters are not allowed")
        return text
    return value


def _storable(value: str) -> str:
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain NUL or half a surrogate pair")
    return value


Text = Annotated[str, AfterValidator(_storable)]
"""A string that PostgreSQL can hold and UTF-8 can carry."""

Name = Annotated[
    str,
    AfterValidator(checked_name),
    Field(description="Unique; 1 to 100 letters (of any script), digits or `. _ - @ +`.", examples=["li.na"]),
]

Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A time with an offset, kept in UTC."""

Line = Annotated[str, Field(min_length=1, max_length=500), BeforeValidator(_printable)]
"""One line of text for people, 1 to 500 characters."""

ExternalId = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_printable)]
"""What another system knows something by."""

Comment = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_storable)]
"""Why something was changed, in a person's words."""

Uri = Annotated[str, Field(min_length=1, max_length=2_000), BeforeValidator(_printable)]
"""Where something came from: an address, or a path."""

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
