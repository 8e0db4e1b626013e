"""Taint: which stretches of a document look as if they told a model what to do.

Nothing is refused for it: tainted text is found and quoted as any other. A generating model gets it marked or not at
all (`sources`), and what only such a stretch says is no evidence for what a model says (`output`).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kbcore.language.sentences import sentences
from services.guard.instruction_rules import RULES, Sign
from services.guard.plain_text import hidden_message, plain, without_invisible

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{32,4000}={0,2}")
_HIDDEN_WEIGHT = 0.7
_ENCODED_WEIGHT = 0.6
_READABLE = 0.95
"""Share of letters, digits and punctuation that makes decoded bytes a text."""


@dataclass(frozen=True, slots=True)
class Taint:
    """`score` is 0 (nothing found) to 1; `spans` are the stretches (characters), in order, non-overlapping."""

    score: float
    signs: tuple[Sign, ...]
    spans: tuple[tuple[int, int], ...]


CLEAN = Taint(0.0, (), ())


@lru_cache(maxsize=4096)
def inspect(text: str) -> Taint:
    """What of a text looks like instructions to a model; linear in its length.

    A stretch is the sentence of a match and all that follows it in its paragraph: orders come before their content.
    """
    hits = list(_hits(text))
    if not hits:
        return CLEAN
    strongest: dict[Sign, float] = {}
    for sign, weight, _, _ in hits:
        strongest[sign] = max(weight, strongest.get(sign, 0.0))
    doubt = 1.0
    for weight in strongest.values():
        doubt *= 1 - weight
    spans = _stretches(text, [(start, end) for _, _, start, end in hits])
    return Taint(round(1 - doubt, 3), tuple(sorted(strongest)), spans)


def inspect_text(text: str, *place: str) -> Taint:
    """The taint of a passage: of its text, and of its title and headings, which have no stretch of their own."""
    taint, above = inspect(text), inspect("\n".join(place))
    if above is CLEAN:
        return taint
    return Taint(max(taint.score, above.score), tuple(sorted({*taint.signs, *above.signs})), taint.spans)


def _hits(text: str) -> Iterator[tuple[Sign, float, int, int]]:
    shown = plain(text)
    for rule in RULES:
        for match in rule.pattern.finditer(shown.text):
            if match.end() > match.start():
                yield rule.sign, rule.weight, shown.places[match.start()], shown.places[match.end() - 1] + 1
    if hidden_message(text):
        hidden = [place for place, character in enumerate(text) if not character.isascii()]
        unseen = [place for place in hidden if not without_invisible(text[place])]
        yield Sign.HIDDEN, _HIDDEN_WEIGHT, unseen[0], unseen[-1] + 1
    for match in _BASE64.finditer(text):
        if _is_text(match.group()):
            yield Sign.ENCODED, _ENCODED_WEIGHT, *match.span()


def _is_text(encoded: str) -> bool:
    standard = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(standard[: len(standard) // 4 * 4]).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    readable = sum(character.isprintable() or character in "\n\t" for character in decoded)
    return " " in decoded.strip() and readable >= _READABLE * len(decoded)


def _stretches(text: str, matches: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    whole = sentences(text)
    at = 0
    for first, last in sorted(matches):
        while at + 1 < len(whole) and whole[at][1] <= first:
            at += 1
        start = min(first, whole[at][0]) if whole else first
        end = text.find("\n\n", last)
        end = len(text) if end < 0 else end
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
