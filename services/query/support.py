"""Does a passage say what a statement says, and where? By words, so that a verdict can be explained and repeated.

A statement is supported when its words, beyond those of the question, stand in the passage; when every number that it
states stands there; and when it agrees with its quote (`agreement.py`). Thresholds: docs/decisions/0011-answers.md.
"""

import re
from dataclasses import dataclass
from itertools import chain

from kbcore.domain.chunk import Passage
from kbcore.language.negation import negated
from kbcore.language.numerals import numbers
from kbcore.language.overlap import coverage, features
from kbcore.language.script import detect_language
from kbcore.language.sentences import sentences
from services.query.agreement import Ground, Similarity, disagreement

ENOUGH = 0.5
"""Least support (0-1) of a statement by a passage."""
SAME_MEANING = 0.88
"""Least cosine of a statement and a sentence in the other language."""
_WINDOW = 3
"""A quote is at most this many sentences."""
_LEAST_COVERED = 0.3
"""Least share of a statement's words in its quote: the rest may come from the title and headings."""
_QUOTATIONS = ("“(.{4,})”", "“([^”]{4,})”", "「([^」]{4,})」", '"([^"]{4,})"')
_QUOTED = [re.compile(pattern, re.DOTALL) for pattern in _QUOTATIONS]
"""The first is the outermost: a quote may have quotations in it."""
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)、．])\s+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The characters `start:end` of a passage's text that support a statement, and how well (0-1)."""

    start: int
    end: int
    support: float


def find_evidence(statement: str, passage: Passage, question: str, similarity: Similarity) -> Stretch | None:
    """Where `passage` says what `statement` says; None if it does not."""
    said = _ITEM.sub("", statement)
    known = "\n".join((passage.title, *passage.heading))
    if not (numbers(said) - numbers(question)) <= numbers(f"{known}\n{passage.text}"):
        return None
    if (quoted := _verbatim(said, passage.text, known)) is not None:
        return Stretch(*quoted, 1.0)
    if detect_language(said) != detect_language(passage.text):
        found = _across_languages(said, passage.text, similarity)
    else:
        found = _in_other_words(said, passage, question, known)
    if found is None or disagreement(said, _ground(found, passage, f"{question}\n{known}"), similarity):
        return None
    return found


def _in_other_words(said: str, passage: Passage, question: str, known: str) -> Stretch | None:
    support = _support(features(said), features(f"{known}\n{passage.text}"), features(question))
    return _window(said, passage, question, support) if support >= ENOUGH else None


def _ground(found: Stretch, passage: Passage, known: str) -> Ground:
    """The quote and what is around it: one sentence before and one after it, which it may speak of."""
    text, spans = passage.text, sentences(passage.text)
    inside = [place for place, (start, end) in enumerate(spans) if start < found.end and end > found.start]
    start, end = spans[max(inside[0] - 1, 0)][0], spans[min(inside[-1] + 1, len(spans) - 1)][1]
    return Ground(
        quote=text[found.start : found.end],
        near=f"{known}\n{text[start:end]}",
        all=f"{known}\n{text}",
    )


def _support(said: frozenset[str], source: frozenset[str], asked: frozenset[str]) -> float:
    """Repeating the question proves nothing: what a statement adds to it weighs more than the rest."""
    added = said - asked
    if not added:
        return coverage(said, source)
    return 0.6 * coverage(added, source) + 0.4 * coverage(said, source)


def _verbatim(said: str, text: str, known: str) -> tuple[int, int] | None:
    """Where all of the statement stands in the text; or its longest quotation, with but title and headings around it.

    Quotations start with a word.
    """
    quoted = chain([said], *(each.findall(said) for each in _QUOTED))
    for quotation in sorted((part.strip() for part in quoted), key=len, reverse=True):
        start = text.find(quotation)
        if len(quotation) >= 4 and start >= 0 and (start == 0 or not text[start - 1].isalnum()):
            rest = said.replace(quotation, "")
            if not negated(rest) and features(rest) <= features(known):
                return start, start + len(quotation)
    return None


def _window(said: str, passage: Passage, question: str, support: float) -> Stretch | None:
    """The shortest run of sentences that covers the statement nearly as well as the best run, and all its numbers."""
    text, wanted = passage.text, features(said)
    stated = numbers(said) - numbers(question) - numbers("\n".join((passage.title, *passage.heading)))
    spans = sentences(text)
    runs = [
        (spans[first][0], spans[last][1])
        for first in range(len(spans))
        for last in range(first, min(first + _WINDOW, len(spans)))
    ]
    scored = {
        (start, end): coverage(wanted, features(text[start:end]))
        for start, end in runs
        if stated <= numbers(text[start:end])
    }
    best = max(scored.values(), default=0.0)
    if best < _LEAST_COVERED:
        return None
    good = [run for run, score in scored.items() if score >= 0.9 * best]
    start, end = min(good, key=lambda run: (run[1] - run[0], run[0]))
    return Stretch(start, end, support)


def _across_languages(said: str, text: str, similarity: Similarity) -> Stretch | None:
    spans = sentences(text)
    cosines = similarity(said, [text[start:end] for start, end in spans])
    best = max(range(len(spans)), key=lambda index: cosines[index], default=None)
    if best is None or cosines[best] < SAME_MEANING:
        return None
    return Stretch(*spans[best], float(cosines[best]))
