"""What looks like a name: words that a text must have from somewhere, for no paraphrase makes them."""

import re
from collections.abc import Iterator

from kbcore.language.analyzer import normalised, tagged
from kbcore.language.overlap import is_empty

_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f][^\W_\u3400-\u9fff]*(?:[._/'’-][^\W_\u3400-\u9fff]+)*")
_WORD = re.compile(r"[^\W_\u3400-\u9fff]+(?:[._/'’-][^\W_\u3400-\u9fff]+)*")
_BEGINS = re.compile(r"(?:^|[.!?:;。！？：；\n“\"「(（*])\W*$")
_NAME_TAGS = frozenset({"nr", "nrt", "nrfg", "ns", "nt", "nz"})
_HAN = re.compile(r"[\u3400-\u9fff]")
_NO_NAMES = frozenset(["i", "ok", "okay", "yes", "no"])
_LEAST_STEM = 4
"""Letters of the shorter of two words that are taken for forms of one: `German` and `Germany`."""


def names(text: str) -> frozenset[str]:
    """Latin words with a capital that no sentence's beginning explains, and Chinese names by the tagger; normalised."""
    found = {normalised(match.group()) for match in _LATIN.finditer(text) if _is_name(match, text)}
    return frozenset({word for word in found if not is_empty(word)} - _NO_NAMES | set(_han_names(text)))


def unknown_names(text: str, source: str) -> frozenset[str]:
    """The names in `text` that do not stand in `source`, in whatever case or form."""
    folded = normalised(source)
    known = set(_WORD.findall(folded))
    return frozenset(name for name in names(text) if name not in known and not _stands(name, folded, known))


def is_han(name: str) -> bool:
    """Whether a name is written in Chinese characters."""
    return bool(_HAN.search(name))


def _is_name(match: re.Match[str], text: str) -> bool:
    word = match.group()
    if not any(character.isupper() for character in word):
        return False
    return not _BEGINS.search(text[: match.start()]) or any(character.isupper() for character in word[1:])


def _han_names(text: str) -> Iterator[str]:
    if is_han(text):
        folded = normalised(text)
        yield from (word for word, tag in tagged(folded) if tag in _NAME_TAGS and len(word) > 1 and is_han(word))


def _stands(name: str, folded: str, known: set[str]) -> bool:
    if is_han(name):
        return name in folded
    return len(name) >= _LEAST_STEM and any(
        len(word) >= _LEAST_STEM and (word.startswith(name) or name.startswith(word)) for word in known
    )
