"""Spellings without accents, for comparing words: `Möngke` is written `Mongke`, too."""

import unicodedata

from kbcore.language.analyzer import normalised


def plain(text: str, *, keep_case: bool = False) -> str:
    """`normalised`, without accents; with `keep_case` only the accents go."""
    spelt = text if keep_case else normalised(text)
    return "".join(each for each in unicodedata.normalize("NFD", spelt) if not unicodedata.combining(each))
