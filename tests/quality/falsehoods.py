"""True statements made false by exchanging one thing: a name, a role, a month, a unit, a word that decides."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from kbcore.language.analyzer import tagged


@dataclass(frozen=True, slots=True)
class Said:
    """A statement about passages; `kind` says how it was made."""

    text: str
    question: str
    passages: tuple[str, ...]
    title: str
    kind: str
    true: bool

    @property
    def tuning(self) -> bool:
        """Whether it belongs to the half of the paragraphs that rules were chosen on."""
        return sha256(self.passages[0].encode()).digest()[0] % 2 == 0


def falsified(said: Said, chance: random.Random) -> Iterator[Said]:
    """At most one falsehood of each kind."""
    for kind, change in _CHANGES.items():
        wrong = change(said, chance)
        if wrong and wrong != said.text:
            yield replace(said, text=wrong, kind=kind, true=False)


_EN_NAME = re.compile(r"(?<![.!?“\"] )(?<!^)\b[A-Z][\w-]+(?: (?:of (?:the )?)?[A-Z][\w-]+)*")


def names(text: str) -> list[str]:
    """Names by their capitals or by the tagger, in order."""
    if re.search("[一-鿿]", text):
        found = [w for w, tag in tagged(text) if tag in ("nr", "nrt", "ns", "nt", "nz") and len(w) > 1]
    else:
        found = [each for each in _EN_NAME.findall(text) if each.split()[0].lower() not in _DATE_WORDS]
    return list(dict.fromkeys(found))


def _elsewhere(said: Said, chance: random.Random) -> str | None:
    """A name of the statement exchanged by one that stands elsewhere in the passage."""
    ours = [each for each in names(said.text) if each not in said.question]
    others = [
        o
        for o in names("\n".join(said.passages))
        if not any(_alike(o, x) for x in names(said.text)) and o not in said.text and o not in said.question
    ]
    return said.text.replace(chance.choice(ours), chance.choice(others)) if ours and others else None


def _swapped(said: Said, _chance: random.Random) -> str | None:
    """Two names of the statement in each other's places."""
    ours = names(said.text)
    if len(ours) < 2 or _alike(ours[0], ours[1]):
        return None
    return said.text.replace(ours[0], "\0").replace(ours[1], ours[0]).replace("\0", ours[1])


def _alike(one: str, other: str) -> bool:
    return bool(set(one.lower().split()) & set(other.lower().split())) or one in other or other in one


_NO_NAMES = """
january february march april may june july august september october november december monday tuesday wednesday thursday
friday saturday sunday the a an in on at it he she they this that these those
"""
_DATE_WORDS = frozenset(_NO_NAMES.split())


def _out_of(*groups: str) -> Callable[[Said, random.Random], str | None]:
    """A word of a closed list exchanged by another of it."""

    def change(said: Said, chance: random.Random) -> str | None:
        for group in groups:
            members = group.split("/")
            pattern = "|".join(
                re.escape(m) if not m.isascii() else rf"\b{re.escape(m)}\b"
                for m in sorted(members, key=len, reverse=True)
            )
            if found := list(re.finditer(pattern, said.text)):
                at = chance.choice(found)
                other = chance.choice([m for m in members if m not in at.group() and at.group() not in m] or [""])
                return said.text[: at.start()] + other + said.text[at.end() :] if other else None
        return None

    return change


_CHANGES: dict[str, Callable[[Said, random.Random], str | None]] = {
    "name elsewhere": _elsewhere,
    "roles swapped": _swapped,
    "month, weekday": _out_of(
        "January/February/March/April/June/July/August/September/October/November/December",
        "Monday/Tuesday/Wednesday/Thursday/Friday/Saturday/Sunday",
        "周一/周二/周三/周四/周五",
        "1 月/2 月/3 月/5 月/6 月/9 月/10 月/12 月",
    ),
    "unit, currency": _out_of(
        "days/weeks/months/years/hours/minutes/seconds",
        "yuan/dollars/euros/pounds",
        "working days/calendar days",
        "percent/degrees",
        "工作日/自然日",
        "小时/分钟/个月/天/周",
        "美元/欧元/日元",
    ),
    "department, role": _out_of(
        "财务部/法务部/人力资源部/采购部/信息安全部/行政部/技术支持部",
        "财务总监/总经理/部门负责人/直接上级/董事会/采购经理/人力资源总监",
        "Compliance Office/Communications team/Legal/Treasury/Human Resources/Platform Engineering",
        "manager/engineer/officer/board/commander/scribe/trader",
    ),
    "identifier": _out_of("FG-200/SN-30/WS-10/SN-30W", "P1/P2/P3/P6/P7/P8", "IP68/IP65"),
    "policy word": _out_of(
        "must/may",
        "before/after",
        "allowed/forbidden",
        "above/below",
        "at least/at most",
        "includes/excludes",
        "必须/可以",
        "以上/以下",
        "之前/之后",
        "以前/以后",
        "不低于/不超过",
        "包括/不包括",
        "增加/减少",
        "提高/降低",
    ),
}
