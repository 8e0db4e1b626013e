"""English follow-ups: what makes one, and the question that was meant."""

import re

from kbcore.language.identifiers import identifiers
from services.query.understand.meant import Meant
from services.query.understand.time_words import time_spans

_LONGEST = 10
_OPENING = re.compile(
    r"^(?:and|but|or|so|then|also|ok|okay)\b[,\s]{0,3}(?:(?:then|also|so|and)\b[,\s]{0,3})?", re.IGNORECASE
)
_ABOUT = re.compile(r"^(?:what|how) about\s+", re.IGNORECASE)
_CLAUSE = re.compile(
    r"^(?:when|if|where|while|once)\s+(?!is|are|do|does|did|can|could|may|must|should|will|would|has|have|was|were)\w+",
    re.IGNORECASE,
)
_OBJECT = re.compile(
    r"^(?:who|when|where|why|how|which)\s+(?:\w+\s+){1,2}(?:it|them|that|this|those|these)$", re.IGNORECASE
)
_SUPPOSE = re.compile(r"^what if\b", re.IGNORECASE)
_PREPOSITIONS = "for|in|on|at|to|with|without|from|by|before|after|during|under|above|below|over|within|outside|abroad"
_PREPOSITION = re.compile(rf"^(?:{_PREPOSITIONS})\b", re.IGNORECASE)
_VERB = re.compile(
    r"\b(?:is|are|am|was|were|be|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had|who|whom|"
    r"whose|what|when|where|why|how|which)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|theirs|those|these|he|she|him|her)\b|\b[Tt]h(?:is|at)\b")
_POINTS_NOWHERE = re.compile(
    r"\b(?:is|was) it (?:possible|necessary|allowed|ok|okay|required|true)\b|\bit is\b|"
    r"\b(?:this|that|these|those) (?:year|month|quarter|week|day|morning|time|company)s?\b",
    re.IGNORECASE,
)
_MEASURE = re.compile(r"^how \w+ (?=(?:is|are|was|were|do|does|did|can|could|may|must|should|will)\b)", re.IGNORECASE)
_PLAIN_WORDS = """
a an the of to in on at for by with from as is are am was were be been do does did can could may might must shall should
will would has have had i we you one me us my our your who whom whose what when where why how which if not no any some
there much many long often soon fast early late far old big high low more less most least and or so then approve
approves approved decide decides need needs needed get gets pay pays paid apply applies ask happen happens sign signs
allow allowed exception exceptions limit limits until since required require requires please exactly it take takes last
say says mean means work works cost costs lead leads led its they them their these those this that start starts end ends
expire expires begin begins about else given sent made done help
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())


def standalone(question: str, before: str) -> Meant | None:
    """The question that was meant, if this one follows `before` (which stands alone); None if it needs nothing."""
    asked = question.strip().rstrip("?.! ")
    bare = _OPENING.sub("", asked)
    if not bare or len(bare.split()) > _LONGEST:
        return None
    about = _ABOUT.sub("", bare)
    if about != bare or (not _VERB.search(bare) and (bare != asked or _PREPOSITION.match(bare))):
        named = _about(about, before)
        return Meant(named, named)
    leans = _SUPPOSE.match(bare) or (bare != asked and _CLAUSE.match(bare))
    return Meant(_joined(bare, before), before) if leans or _points_back(bare) or _is_empty(bare) else None


def _points_back(asked: str) -> bool:
    """True if a pronoun has nothing before it in the question that it could stand for."""
    if _OBJECT.match(asked):
        return True
    looked_at = _POINTS_NOWHERE.sub(" ", asked)
    pronoun = _PRONOUN.search(looked_at)
    if pronoun is None:
        return False
    return pronoun[0] == "it" or _is_empty(looked_at[: pronoun.start()])


def _is_empty(asked: str) -> bool:
    return all(word in _PLAIN for word in re.findall(r"[a-z0-9'-]+", asked.lower()))


def _about(topic: str, before: str) -> str:
    """The question before, with what the follow-up names in the place of what it is like; else after it."""
    stem = before.strip().rstrip("?.! ")
    for like in (_time, _identifier, _phrase, _namesake):
        if replaced := like(topic, stem):
            return replaced + "?"
    return _joined(topic, before)


def _time(topic: str, before: str) -> str | None:
    spans, earlier = time_spans(topic), time_spans(before)
    if not spans or spans[0][1] != len(topic) or not re.fullmatch(r"(?:for|in|on)? ?", topic[: spans[0][0]].lower()):
        return None
    if earlier:
        start, end = earlier[0]
        return f"{before[:start]}{topic[spans[0][0] :]}{before[end:]}"
    return f"{before} {topic}"


def _identifier(topic: str, before: str) -> str | None:
    named = re.sub(r"^(?:an?|the)\s+", "", topic)
    if not identifiers(named):
        return None
    for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._/-]*", before):
        if identifiers(word):
            return before.replace(word, named, 1)
    return None


def _phrase(topic: str, before: str) -> str | None:
    """`for managers` takes the place of `for engineers`, and so does `managers`."""
    given = _PREPOSITION.match(topic)
    preposition = given[0] if given else "for"
    ends = rf"(?=\s+(?:{_PREPOSITIONS})\b|$)"
    earlier = re.search(rf"\b{preposition}\s+(?!how\b|what\b)(?:(?!\b(?:{_PREPOSITIONS})\b).)+?{ends}", before, re.I)
    if earlier is None:
        return f"{before} {topic}" if given else None
    whole = topic if given else f"{preposition} {topic}"
    return before[: earlier.start()] + whole + before[earlier.end() :]


def _namesake(topic: str, before: str) -> str | None:
    """`sick leave` takes the place of `annual leave`, or of `leave`."""
    named = re.sub(r"^(?:an?|the)\s+", "", topic)
    head = named.split()[-1].lower()
    words = before.split()
    for at, word in enumerate(words):
        if word.lower() == head:
            described = at > 0 and words[at - 1].lower() not in _PLAIN
            return " ".join((*words[: at - described], named, *words[at + 1 :]))
    return None


def _joined(rest: str, before: str) -> str:
    """The follow-up, and in brackets what it is about: its own words come first, for they are what is new."""
    return f"{rest} ({_subject(before)})?"


def _subject(before: str) -> str:
    """What the question before was about: without the words that only ask."""
    words = _MEASURE.sub("", before.strip().rstrip("?.! ")).replace("(", "").replace(")", "").split()
    while words and words[0].lower() in _PLAIN:
        words.pop(0)
    return " ".join(words) or before.rstrip("?.! ")
