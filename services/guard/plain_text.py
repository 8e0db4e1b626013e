"""Text as a reader takes it: compatibility forms, look-alike letters and invisible characters undone, places kept."""

import unicodedata
from dataclasses import dataclass

_LOOK_ALIKE = dict(
    zip(
        "аеорсухіјѕԁһкмтвнαορνιτκ",
        "aeopcyxijsdhkmtbhaopvitk",
        strict=True,
    )
)
"""Cyrillic and Greek letters that look like Latin ones, in lower case."""

_TAGS = range(0xE0000, 0xE0080)
"""Unicode tags: an invisible copy of ASCII."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class PlainText:
    """`text` is in lower case, white space runs are one character; `places[i]` is where its character i came from."""

    text: str
    places: tuple[int, ...]


def plain(text: str) -> PlainText:
    """The plain form of a text, in linear time. A run of white space with a line end in it becomes one line end."""
    characters: list[str] = []
    places: list[int] = []
    for place, original in enumerate(text):
        if original.isascii():
            shown = original.lower()
        elif invisible(original):
            continue
        else:
            shown = "".join(_LOOK_ALIKE.get(each, each) for each in unicodedata.normalize("NFKC", original).lower())
        for character in shown:
            if character.isspace():
                if characters and characters[-1] in " \n":
                    characters[-1] = "\n" if character == "\n" else characters[-1]
                    continue
                character = "\n" if character == "\n" else " "  # noqa: PLW2901
            characters.append(character)
            places.append(place)
    return PlainText("".join(characters), tuple(places))


def invisible(character: str) -> bool:
    """True for characters that take no room: zero-width, direction marks, tags, soft hyphens."""
    return unicodedata.category(character) == "Cf" or 0xFE00 <= ord(character) <= 0xFE0F


def without_invisible(text: str) -> str:
    """The text without characters that nobody sees."""
    if text.isascii():
        return text
    return "".join(character for character in text if character.isascii() or not invisible(character))


def hidden_message(text: str) -> bool:
    """True if invisible characters are used to say or to disguise something, rather than to shape emoji or letters."""
    if text.isascii():
        return False
    if any(ord(character) in _TAGS or character in _DIRECTIONS for character in text):
        return True
    return sum(character in "\u200b\u2060\ufeff\u00ad\u200c" for character in text) >= 4
