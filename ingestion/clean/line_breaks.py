"""Join lines that were broken only because a page is so wide, and words that were hyphenated there."""

import re
from collections.abc import Iterable
from unicodedata import east_asian_width

_HYPHENATED = re.compile(r"(?P<head>[^\W\d_]{2,})[-\u2010]\n(?P<tail>[^\W\d_]{2,})")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_TERMINAL = re.compile(r"[。！？；：.!?;:…][\"'”’）)」』】]*$")
_NARROWEST_PAGE = 40
"""Columns: shorter lines were not broken by a page's width but by their author."""


def vocabulary(texts: Iterable[str]) -> frozenset[str]:
    """The words that stand unbroken somewhere in the document: they decide what a hyphen at a line end means."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))


def join_lines(text: str, words: frozenset[str]) -> str:
    """One line: hyphenated words made whole, a space between Latin lines, none between Chinese ones."""
    text = _HYPHENATED.sub(lambda match: _dehyphenated(match, words), text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    joined = lines[0] if lines else ""
    for line in lines[1:]:
        gap = "" if _is_wide(joined[-1]) and _is_wide(line[0]) else " "
        joined += gap + line
    return joined


def is_hard_wrapped(text: str) -> bool:
    """Whether the lines of a paragraph end at about the same column, and mostly not where sentences end."""
    lines = text.split("\n")
    if len(lines) < 2:
        return False
    widths = [sum(2 if _is_wide(character) else 1 for character in line) for line in lines]
    full, last = widths[:-1], widths[-1]
    ended = sum(1 for line in lines[:-1] if _TERMINAL.search(line))
    return (
        max(full) >= _NARROWEST_PAGE
        and min(full) >= 0.75 * max(full)
        and last <= 1.1 * max(full)
        and ended * 2 <= len(full)
    )


def _dehyphenated(match: re.Match[str], words: frozenset[str]) -> str:
    head, tail = match["head"], match["tail"]
    if f"{head}-{tail}".lower() in words and (head + tail).lower() not in words:
        return f"{head}-{tail}"
    return head + tail if tail[0].islower() else f"{head}-{tail}"


def _is_wide(character: str) -> bool:
    return east_asian_width(character) in "WF"
