"""Glossary: other words for what a question says, searched for as well, by the keyword leg at a lower weight."""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from kbcore.bootstrap import Platform
from kbcore.domain.glossary import GlossaryEntry
from kbcore.domain.principal import Caller
from kbcore.language.analyzer import terms
from kbcore.language.script import detect_language
from kbcore.language.weights import query_weights, term_id
from kbcore.metadata.glossary import applying
from kbcore.metadata.standpoint import Standpoint
from services.query.request import Expansion, SearchRequest

_MOST = 200
"""Entries that are looked at: terms that stand somewhere in the question."""
_APPLIED = 8
"""Entries that are applied."""
_WEIGHT = 0.5
"""Of an expansion, as a share of what its term weighs in the question; all of a term's together at most once that."""
_WORDY = re.compile(r"[A-Za-z0-9]")


def expansions(platform: Platform, caller: Caller, request: SearchRequest) -> tuple[Expansion, ...]:
    """What the glossaries that this caller sees say about the question's words."""
    text = _folded(request.query)
    with platform.database.statement() as connection:
        found = applying(connection, caller, text, spaces=request.narrowing.spaces, limit=_MOST)
    return matched(text, found)


def matched(text: str, entries: Iterable[GlossaryEntry]) -> tuple[Expansion, ...]:
    """Of the entries whose term stands in the question: the longest at each place, one expansion for each term.

    Latin terms are whole words; Chinese ones need no boundaries.
    """
    by_term: dict[str, list[GlossaryEntry]] = {}
    for entry in entries:
        by_term.setdefault(_folded(entry.term), []).append(entry)
    taken: list[tuple[int, int]] = []
    chosen: list[Expansion] = []
    for term in sorted(by_term, key=lambda term: (-len(term), term)):
        free = [at for at in _places(term, _folded(text)) if not any(_overlap(at, other) for other in taken)]
        if free and len(chosen) < _APPLIED:
            taken += free
            same = by_term[term]
            others = dict.fromkeys(other for entry in same for other in entry.expansions if _folded(other) != term)
            chosen.append(Expansion(term, tuple(others), tuple(entry.id for entry in same)))
    return tuple(chosen)


def expansion_terms(applied: Iterable[Expansion], analyzer: str) -> list[str]:
    """All index terms that the expansions add; each once."""
    return list(dict.fromkeys(term for each in applied for other in each.others for term in terms(other, analyzer)))


def phrased(request: SearchRequest) -> str:
    """The question with what else its words are called in brackets: what is embedded, never what is shown."""
    others = "；".join(dict.fromkeys(other for each in request.expansions for other in each.others))
    return f"{request.query}（{others}）" if others else request.query


def in_other_words(request: SearchRequest) -> str:
    """The question with each term replaced by what it is called first in the question's language: for comparing."""
    language, said = detect_language(request.query), unicodedata.normalize("NFKC", request.query)
    for each in request.expansions:
        own = [other for other in each.others if detect_language(other) == language]
        for other in (own or each.others)[:1]:
            said = re.sub(_pattern(each.term), other.replace("\\", r"\\"), said, flags=re.IGNORECASE)
    return said


def weighted(
    weights: Mapping[int, float], applied: Iterable[Expansion], standpoint: Standpoint, analyzer: str
) -> dict[int, float]:
    """The question's weights, and the expansions' beside them: a passage that says 年假 covers some of `PTO`.

    The question's own stay what they are; what both sides weigh together may be more than 1.
    """
    expanded = dict(weights)
    for each in applied:
        mass = sum(weights.get(term_id(term), 0.0) for term in set(terms(each.term, analyzer)))
        share = min(_WEIGHT, 1 / len(each.others)) if each.others else 0.0
        for other in each.others:
            own = query_weights(list(dict.fromkeys(terms(other, analyzer))), standpoint.rows_with_term, standpoint.rows)
            for term, weight in own.items():
                if term not in weights:
                    expanded[term] = max(expanded.get(term, 0.0), weight * mass * share)
    return expanded


def _places(term: str, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(_pattern(term), text)]


def _pattern(term: str) -> str:
    left = r"(?<![a-z0-9])" if _WORDY.match(term[0]) else ""
    right = r"(?:'s|s)?(?![a-z0-9])" if _WORDY.match(term[-1]) else ""
    return f"{left}{re.escape(term)}{right}"


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())
