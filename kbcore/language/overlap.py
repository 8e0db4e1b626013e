"""How much of what one text says stands in another: the measure behind quotes, their choice and their verification."""

import re
import unicodedata

from kbcore.language.stems import stem

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_LATIN = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_ENGLISH = """
a according an and are as at be been but by can could do does for from had has have how if in into is it its may
must not of on or our shall should so than that the their them then there these they this those to was we were what
when where which who why will with would you your
"""
_EMPTY = frozenset(_ENGLISH.split())
_EMPTY_HAN = frozenset("的了在是和与及或也就都而且把被对从向吗呢吧啊么请我你您他她它们这那有没能可以会要应该根据")


def features(text: str) -> frozenset[str]:
    """Pairs of neighbouring Han characters and stemmed Latin words, without the empty ones; case and width folded."""
    folded = unicodedata.normalize("NFKC", text).lower()
    words = [word for word in _LATIN.findall(folded) if word not in _EMPTY]
    return frozenset(map(stem, words)) | frozenset(
        pair
        for run in _HAN.findall(folded)
        for pair in ([run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)])
        if not set(pair) <= _EMPTY_HAN
    )


def coverage(said: frozenset[str], source: frozenset[str]) -> float:
    """The share of `said` that stands in `source`, 0-1; 0 for nothing said."""
    return len(said & source) / len(said) if said else 0.0


def is_empty(word: str) -> bool:
    """Whether a word, case and width folded, says nothing by itself."""
    return word in _EMPTY or set(word) <= _EMPTY_HAN
