"""Conflicts: two documents that answer the question differently are shown as a conflict, never blended.

Two sentences of different documents contradict each other if both answer the question, speak of the same (the words of
one without its numbers all stand in the other; identifiers, years and the question's words are the same in both), and
count the same thing with other numbers or deny what the other states. All of it is lexical, so a conflict can be
explained; whatever looks unlike is left alone. How often it is wrong: docs/decisions/0031-grounding.md.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from kbcore.domain.chunk import Passage
from kbcore.domain.trace import ConflictKind
from kbcore.language.identifiers import identifiers
from kbcore.language.negation import negated
from kbcore.language.overlap import coverage, features
from kbcore.language.quantities import differing, quantities, without_numbers, years
from kbcore.llm.interface import Source
from kbcore.llm.quotable import Quote, quotable
from services.query.found import Ranked

_PASSAGES = 5
"""The best passages that are compared."""
_NEAR = 0.06
"""How much lower than the best passage's a passage's score may be: what is further off answers another question."""
_ANSWERS = 0.6
"""Least share of the question's words in a sentence and its heading."""
_LONGER = 1.6
"""How many times as many words the longer sentence may have: more of them are a condition or an exception."""
_LONGER_DENIED = 1.25
"""The same where one denies: "not on probation" is an exception."""
_LEAST = {"zh": 4, "en": 2}
"""Words (Chinese: characters) without which a sentence says too little to be compared."""
_SIBLINGS = 0.5
"""Titles that share so much and differ in the rest ("Handbook, Berlin", "Handbook, Paris") are about two things."""
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_JOINING = frozenset(
    "的了在是和与及或也就都而且把被对从向吗呢吧啊么请我你您他她它们这那有可以要会能至到须为于应当得将即均并各本该其等之"
)
_DATE = frozenset({"month", "date"})
_ASKING = re.compile(
    r"什么时候|什么|多少|多久|多长|几|何时|哪些|哪个|是否|如何|怎么|怎样|谁|吗|呢|需要|可以|能否|\b(?:many|much|long|often|soon|get|need|when)\b"
)
_DENYING = re.compile(
    r"不可以|不得|不能|不允许|不会|不予|不可|禁止|可以|允许|应当|必须|能够|不|\b(?:not|no|never|cannot|can|may|must|is|are|allowed|permitted|forbidden|prohibited)\b|n['’]t\b",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"不(?:得|应|可)?(?:超过|高于|多于|大于|晚于)|以内|以下|至多|最多|上限"
    r"|\b(?:up to|at most|no more than|within|maximum|under)\b",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(
    r"不(?:得|应|可)?(?:少于|低于|小于|早于)|以上|至少|最少|下限"
    r"|\b(?:at least|no less than|minimum|over|more than)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Side:
    """What one document says. `number` is the source's, from 1; the quote is characters `start:end` of its text."""

    number: int
    passage: Passage
    start: int
    end: int

    @property
    def quote(self) -> str:
        """Its words."""
        return self.passage.text[self.start : self.end]

    @property
    def date(self) -> datetime:
        """From when it is in force or, where that is not said, when this version was made."""
        return self.passage.effective_from or self.passage.made_at or datetime.min.replace(tzinfo=UTC)

    @property
    def day(self) -> str:
        """`date` as 2026-01-31, in UTC; empty if it is not known."""
        return "" if self.date.year == 1 else self.date.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two sides, the newer one first."""

    kind: ConflictKind
    sides: tuple[Side, Side]


def find_conflict(question: str, ranked: Sequence[Ranked], leave_out: Collection[int] = ()) -> Conflict | None:
    """The first contradiction among the best passages; None if they do not plainly contradict each other.

    `leave_out` are the numbers (from 1) of passages whose word does not count: they look like instructions.
    """
    best = max((item.score for item in ranked), default=0.0)
    near = [
        (n, item) for n, item in enumerate(ranked[:_PASSAGES], 1) if n not in leave_out and item.score >= best - _NEAR
    ]
    asked = _content(_ASKING.sub(" ", without_numbers(question)))
    answers = [(n, item.passage, _answering(question, asked, item.passage)) for n, item in near]
    for (n, one, said), (m, other, told) in combinations(answers, 2):
        if not _may_differ(one, other):
            continue
        for this in said:
            for that in told:
                if kind := _contradict(this, that):
                    sides = (_side(n, one, this), _side(m, other, that))
                    newest, oldest = sorted(sides, key=lambda side: side.date, reverse=True)
                    return Conflict(kind, (newest, oldest))
    return None


@dataclass(frozen=True, slots=True)
class _Saying:
    """A sentence and what is compared of it; `held` are the question's words in it, its heading and its title."""

    quote: Quote
    language: str
    said: frozenset[str]
    held: frozenset[str]
    named: frozenset[str]
    years: frozenset[str]


def _content(text: str) -> frozenset[str]:
    """Latin words by stem and single Han characters, without those that only join others."""
    latin = (each for each in features(_HAN.sub(" ", text)) if not each.isdecimal())
    return frozenset(latin) | (frozenset(_HAN.findall(text)) - _JOINING)


def _may_differ(one: Passage, other: Passage) -> bool:
    """Not two passages of one version, not copies, and not about two places, teams, products by heading or title.

    Across languages words tell nothing.
    """
    if (one.document_id, one.version) == (other.document_id, other.version):
        return False
    if one.language != other.language or one.text == other.text:
        return False
    this, that = (_content(" ".join(passage.heading[-1:])) for passage in (one, other))
    if this - that and that - this:
        return False
    this, that = _content(one.title), _content(other.title)
    siblings = len(this & that) >= _SIBLINGS * min(len(this), len(that))
    return not (siblings and this - that and that - this)


def _answering(question: str, asked: frozenset[str], passage: Passage) -> list[_Saying]:
    found = []
    around = " ".join((passage.title, *passage.heading))
    for quote in quotable(Source(1, passage.title, passage.text, passage.heading, 0.0, passage.language)):
        if "\n" in quote.text or quote.text.startswith("|"):
            continue  # rows and lists need their neighbours to be understood
        words, all_of_it = _content(quote.gist), f"{around} {quote.gist}"
        near = words | _content(" ".join(passage.heading[-1:]))
        if coverage(asked, near) < _ANSWERS or words.isdisjoint(asked):
            continue
        if identifiers(question) <= identifiers(all_of_it):
            said = _content(_DENYING.sub(" ", without_numbers(quote.gist)))
            held = asked & _content(all_of_it)
            named = identifiers(all_of_it)
            found.append(_Saying(quote, passage.language, said, held, named, years(all_of_it)))
    return found


def _contradict(one: _Saying, other: _Saying) -> ConflictKind | None:
    smaller, larger = sorted((one.said, other.said), key=len)
    if one.named != other.named or one.years != other.years or one.held != other.held:
        return None
    if len(smaller) < _LEAST.get(one.language, 2) or not smaller <= larger or len(larger) > _LONGER * len(smaller):
        return None
    ours, theirs = quantities(one.quote.gist), quantities(other.quote.gist)
    if unlike := differing(ours, theirs):
        return ConflictKind.NUMBERS if _comparable(unlike, ours, theirs) and _bound(one) == _bound(other) else None
    if ours == theirs and len(larger) <= _LONGER_DENIED * len(smaller):
        return ConflictKind.DENIAL if negated(one.quote.gist) != negated(other.quote.gist) else None
    return None


def _comparable(
    unlike: frozenset[str], ours: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]
) -> bool:
    """One thing is counted otherwise, the same number of times; where two are, one may be the other's condition."""
    if len(unlike) > 1 and not unlike <= _DATE:
        return False
    if unlike & _DATE and (ours.keys() ^ theirs.keys()) & _DATE:
        return False  # "by the 5th" and "by 5 March" need not be two answers
    return all(len(ours[unit]) == len(theirs[unit]) for unit in unlike)


def _bound(saying: _Saying) -> tuple[bool, bool]:
    """ "At least three" does not contradict "at most five"."""
    text = saying.quote.gist
    most, least = bool(_AT_MOST.search(text)), bool(_AT_LEAST.search(text))
    return (most, least) if least else (False, False)


def _side(number: int, passage: Passage, saying: _Saying) -> Side:
    return Side(number, passage, saying.quote.start, saying.quote.end)
