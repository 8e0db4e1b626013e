"""Does a statement agree with its evidence in what no paraphrase may change? docs/decisions/0032-agreement.md.

Every rule has a name, so that a verdict can be explained; all are deterministic.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kbcore.language.alignment import Replaced, Token, align, reordered, speaking, tokens
from kbcore.language.fixed_terms import fixed_terms
from kbcore.language.identifiers import identifiers
from kbcore.language.names import is_han, names, unknown_names
from kbcore.language.negation import negated
from kbcore.language.numerals import numbers
from kbcore.language.opposites import opposed, other_time
from kbcore.language.overlap import coverage, features
from kbcore.language.quantities import units_of_numbers
from kbcore.language.script import detect_language
from kbcore.language.sentences import sentences

Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""Cosine of a text with each of some others, by the embedding model."""

FOLLOWS = 0.6
"""Share of a statement's words that stand in its quote in order, from which on other words there are an exchange."""
SAME_WORD = 0.88
"""Least cosine of a word and of what it stands for."""
_SAME_CLAUSE = 0.3
"""Least share of a clause's words in the clause that it is compared with."""
_CLAUSE = re.compile(r"[，,；;：:。！？!?\n]+")
_NEW_WORDS = 3
"""So many new words in a row, where the quote has none at all, are an addition."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a statement is held against: the quote, the sentences around it, all of the passage.

    The last two include the question, the title and the headings.
    """

    quote: str
    near: str
    all: str


def disagreement(said: str, ground: Ground, similarity: Similarity) -> str | None:
    """The name of the first rule that `said` breaks; None if it says what its ground does."""
    return next(_disagreements(said, ground, similarity), None)


def _disagreements(said: str, ground: Ground, similarity: Similarity) -> Iterator[str]:
    language = detect_language(ground.quote)
    translated = detect_language(said) != language
    strange = unknown_names(said, ground.near)
    # A translation has its names in its own letters; those in the source's letters it has from the source.
    if any(not translated or is_han(name) == (language == "zh") for name in strange):
        yield "name"
    if identifiers(said) - identifiers(ground.near):
        yield "identifier"
    if fixed_terms(said) - fixed_terms(ground.near):
        yield "term"
    if _counts_otherwise(said, ground.near):
        yield "unit"
    pairs = [(said, ground.quote)] if translated else _clauses(said, ground.quote)
    if any(opposed(*pair) for pair in pairs):
        yield "opposite"
    if translated:
        return
    if any(negated(ours) != negated(theirs) for ours, theirs in pairs):
        yield "denial"
    yield from _exchanges(said, ground, similarity)


def _clauses(said: str, quote: str) -> list[tuple[str, str]]:
    """The clauses of a statement, each with the clause of the quote that says most of it; those that none says aside.

    All of the statement with the closest clause if there are no others.
    """
    theirs = [(clause, features(clause)) for clause in _CLAUSE.split(quote)]
    pairs = []
    for ours in _CLAUSE.split(said):
        wanted = features(ours)
        closest, found = max(theirs, key=lambda each: coverage(wanted, each[1]))
        if coverage(wanted, found) >= _SAME_CLAUSE:
            pairs.append((ours, closest))
    return pairs or [(said, max(theirs, key=lambda each: coverage(features(said), each[1]))[0])]


def _counts_otherwise(said: str, source: str) -> bool:
    ours, theirs = units_of_numbers(said), units_of_numbers(source)
    return any(number in theirs and ours[number].isdisjoint(theirs[number]) for number in ours)


def _exchanges(said: str, ground: Ground, similarity: Similarity) -> Iterator[str]:
    """What stands in other words' place in a sentence that else follows the quote, word by word."""
    ours, named = tokens(said), names(said) | names(ground.quote)
    if any(reordered(ours, tokens(ground.quote[start:end]), named) for start, end in sentences(ground.quote)):
        yield "order"
    alignment = align(ours, tokens(ground.quote))
    if alignment.followed < FOLLOWS:
        return
    known = {token.stem for token in tokens(ground.all)}
    for each in alignment.replaced:
        one, other = (" ".join(token.written for token in side) for side in (each.ours, each.theirs))
        if opposed(one, other):
            yield "opposite"
        if other_time(one, other):
            yield "unit"
        if numbers(one) - numbers(ground.quote) and numbers(other):
            yield "number"
        new = [token for token in speaking(each.ours) if token.stem not in known and not token.written.isdecimal()]
        if _is_exchange(each, new, named, similarity):
            yield "exchange"


def _is_exchange(each: Replaced, new: Sequence[Token], named: frozenset[str], similarity: Similarity) -> bool:
    theirs = speaking(each.theirs)
    if not theirs:
        return len(new) >= _NEW_WORDS
    fixed = any(token.written in named or numbers(token.written) for token in theirs)
    if fixed and any(token.written in named for token in each.ours):
        return True
    if len(new) != 1:
        return bool(new)
    return new[0].names or fixed or not _means(new[0], theirs, similarity)


def _means(new: Token, theirs: Sequence[Token], similarity: Similarity) -> bool:
    written = [token.written for token in theirs]
    return max(similarity(new.written, [" ".join(written), *written])) >= SAME_WORD
