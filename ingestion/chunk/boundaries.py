"""Where a text may be cut, from the best place to the worst: rows, sentences, clauses, words, characters.

Each function maps `(text, start, end)` to the units of `text[start:end]` as offsets into `text`: in order,
non-overlapping, without white space at their edges, together holding every visible character.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

from kbcore.domain.chunk import ElementKind
from kbcore.language.sentences import sentences as find_sentences

Range = tuple[int, int]
Cut = Callable[[str, int, int], list[Range]]

_LINE = re.compile(r"\n+")
_CELL = re.compile(r"(?<=\S) \| (?=\S)")
_CLAUSE = re.compile(r"[，、；：﹐﹑]+|[,;:](?=\s)|\s[—–-]{1,2}(?=\s)")
_WORD = re.compile(r"\s+")
_FIRST_SLICE = 128
"""Characters of a text without any spaces that are first tried as one unit; halved until it fits."""
_LONGEST_CLUSTER = 32
"""A base character with more marks than this is not a word of any language, and may be cut."""


def lines(text: str, start: int, end: int) -> list[Range]:
    """Lines: rows of a table, items of a list, lines of code."""
    return _pieces(text, start, end, (match.end() for match in _LINE.finditer(text, start, end)))


def cells(text: str, start: int, end: int) -> list[Range]:
    """Cells of a table row."""
    return _pieces(text, start, end, (match.end() for match in _CELL.finditer(text, start, end)))


def sentences(text: str, start: int, end: int) -> list[Range]:
    """Sentences."""
    return [(start + first, start + last) for first, last in find_sentences(text[start:end])]


def clauses(text: str, start: int, end: int) -> list[Range]:
    """Clauses, each with the comma, colon or dash that ends it."""
    return _pieces(text, start, end, (match.end() for match in _CLAUSE.finditer(text, start, end)))


def words(text: str, start: int, end: int) -> list[Range]:
    """Stretches between spaces; a Chinese clause is one of these."""
    return _pieces(text, start, end, (match.end() for match in _WORD.finditer(text, start, end)))


def characters(text: str, start: int, end: int) -> list[Range]:
    """Slices of a text that offers no better place: halves, or shorter ones of a very long text.

    A base character is not parted from its combining marks, nor a joined emoji from its parts.
    """
    size = min(_FIRST_SLICE, (end - start + 1) // 2)
    cuts: list[int] = []
    position = start + size
    while position < end:
        safe = _safe_cut(text, position, end)
        cuts.append(safe)
        position = max(safe, position) + size
    return _pieces(text, start, end, cuts)


CUTS: dict[ElementKind, tuple[Cut, ...]] = {
    ElementKind.TEXT: (lines, sentences, clauses, words, characters),
    ElementKind.LIST_ITEM: (lines, sentences, clauses, words, characters),
    ElementKind.TABLE: (lines, cells, sentences, clauses, words, characters),
    ElementKind.CODE: (lines, words, characters),
}
"""The cuts of each kind, best first. `characters` may be applied again to its own pieces."""


def _safe_cut(text: str, position: int, end: int) -> int:
    limit = min(position + _LONGEST_CLUSTER, end)
    safe = position
    while safe < limit and _joins(text, safe):
        safe += 1
    return safe if safe < limit or safe == end else position


def _joins(text: str, position: int) -> bool:
    """Whether a cut right before `position` would split what people see as one character."""
    return (
        unicodedata.category(text[position]).startswith("M")
        or text[position] == "\u200d"
        or text[position - 1] == "\u200d"
        or "\U0001f3fb" <= text[position] <= "\U0001f3ff"
    )


def _pieces(text: str, start: int, end: int, cuts: Iterable[int]) -> list[Range]:
    found: list[Range] = []
    first = start
    for cut in (*cuts, end):
        piece = text[first:cut]
        stripped = piece.strip()
        if stripped:
            begin = first + len(piece) - len(piece.lstrip())
            found.append((begin, begin + len(stripped)))
        first = cut
    return found
