"""Does a passage say what a statement says, and where? Lexical, so that a verdict can be explained and repeated.

A statement is supported when its words, beyond those of the question, stand in the passage; when every number that it
states stands there; and when statement and passage agree on what is denied. Thresholds: docs/decisions/0011-answers.md.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kbcore.domain.chunk import Passage
from kbcore.language.negation import negated
from kbcore.language.numerals import numbers
from kbcore.language.overlap import coverage, features
from kbcore.language.script import detect_language
from kbcore.language.sentences import sentences

Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""Cosine of a statement with each of some sentences: the judge where statement and passage differ in language."""

ENOUGH = 0.5
"""Least support (0-1) of a statement by a passage."""
SAME_MEANING = 0.88
"""Least cosine of a statement and a sentence in the other language."""
_WINDOW = 3
"""A quote is at most this many sentences."""
_LEAST_COVERED = 0.3
"""Least share of a statement's words in its quote: the rest may come from the title and headings."""
_QUOTED = re.compile(r"[“「\"]([^”」\"]{4,})[”」\"]", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)、．])\s+")
_CLAUSE = re.compile(r"[，,；;：:。！？!?\n]+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The characters `start:end` of a passage's text that support a statement, and how well (0-1)."""

    start: int
    end: int
    support: float


def find_evidence(statement: str, passage: Passage, question: str, similarity: Similarity) -> Evidence | None:
    """Where `passage` says what `statement` says; None if it does not."""
    said = _ITEM.sub("", statement)
    context = "\n".join((passage.title, *passage.heading, passage.text))
    if not (numbers(said) - numbers(question)) <= numbers(context):
        return None
    if (quoted := _verbatim(said, passage.text)) is not None:
        start, end = quoted
        rest = features(said.replace(passage.text[start:end], "")) - features(question)
        return Evidence(start, end, 1.0) if not rest or coverage(rest, features(context)) >= ENOUGH else None
    if detect_language(said) != detect_language(passage.text):
        return _across_languages(said, passage.text, similarity)
    support = _support(features(said), features(context), features(question))
    if support < ENOUGH:
        return None
    return _window(said, passage, question, support)


def _support(said: frozenset[str], source: frozenset[str], asked: frozenset[str]) -> float:
    """Repeating the question proves nothing: what a statement adds to it weighs more than the rest."""
    added = said - asked
    if not added:
        return coverage(said, source)
    return 0.6 * coverage(added, source) + 0.4 * coverage(said, source)


def _verbatim(said: str, text: str) -> tuple[int, int] | None:
    """The longest quotation in the statement, or all of it, that stands in the text, from the start of a word on."""
    quoted = sorted((part.strip() for part in (said, *_QUOTED.findall(said))), key=len, reverse=True)
    for quotation in quoted:
        start = text.find(quotation)
        if len(quotation) >= 4 and start >= 0 and (start == 0 or not text[start - 1].isalnum()):
            return start, start + len(quotation)
    return None


def _window(said: str, passage: Passage, question: str, support: float) -> Evidence | None:
    """The shortest run of sentences that covers the statement nearly as well as the best run, and all its numbers.

    What the closest clause denies, the statement must deny, too.
    """
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
    if negated(said) != negated(_closest_clause(wanted, text[start:end])):
        return None
    return Evidence(start, end, support)


def _closest_clause(wanted: frozenset[str], window: str) -> str:
    return max(_CLAUSE.split(window), key=lambda clause: coverage(wanted, features(clause)))


def _across_languages(said: str, text: str, similarity: Similarity) -> Evidence | None:
    spans = sentences(text)
    cosines = similarity(said, [text[start:end] for start, end in spans])
    best = max(range(len(spans)), key=lambda index: cosines[index], default=None)
    if best is None or cosines[best] < SAME_MEANING:
        return None
    return Evidence(*spans[best], float(cosines[best]))
