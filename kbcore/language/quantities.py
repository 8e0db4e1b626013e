"""How much of what: the numbers that a text states, each with what it counts, so that two texts can be compared.

`五天`, `5 天` and `5 days` count days; `3月31日` and `March 31` are a month and a day. A number that counts
nothing known here (a version, a list's number, a year) is left out: two texts may differ in it and still agree.
"""

import re
from collections.abc import Mapping

from kbcore.language.numerals import numbers
from kbcore.language.stems import stem

_HAN_NUMBER = "零〇一二两三四五六七八九十百千万亿"
_NUMBER = (
    rf"(?<![A-Za-z0-9_.])(?:\d+(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:\s*[千万亿])?(?![A-Za-z0-9_]*[0-9_])|[{_HAN_NUMBER}]+"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety)\b"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_ENGLISH_DATE = re.compile(
    rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b|\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({_MONTH})\b"
)
_UNITS = {
    "天": "day", "日": "date", "号": "date", "号前": "date", "月": "month", "个月": "months", "周": "week",
    "星期": "week",
    "个工作日": "workday", "工作日": "workday", "小时": "hour", "个小时": "hour", "分钟": "minute", "秒": "second",
    "元": "money", "块": "money", "人民币": "money", "美元": "dollar", "人": "person", "名": "person", "位": "person",
    "次": "time", "倍": "fold", "级": "grade", "%": "percent", "％": "percent", "percent": "percent",
    "岁": "age", "公里": "km", "米": "metre", "吨": "ton", "年": "year",
    "周年": "year", "个自然日": "day", "个百分点": "point",
    "day": "day", "calendar day": "day", "week": "week", "month": "months", "year": "year", "hour": "hour",
    "minut": "minute", "second": "second", "yuan": "money", "rmb": "money", "cni": "money", "dollar": "dollar",
    "usd": "dollar", "euro": "euro", "eur": "euro", "person": "person", "peopl": "person", "employe": "person",
    "time": "time", "km": "km", "busi day": "workday", "work day": "workday", "gb": "gb", "mb": "mb", "tb": "tb",
    "charact": "character", "字符": "character", "位字符": "character", "user": "user", "mile": "mile", "kg": "kg",
}  # fmt: skip
_ZH_UNIT = "|".join(sorted((u for u in _UNITS if not u.isascii()), key=len, reverse=True))
_BETWEEN = r"(?:\s*(?:至|到|-|–|—|~|～|、|或|to|and|or)\s*)"
_COUNTED = re.compile(
    rf"(?P<before>第|百分之|[$¥￥€]\s?|\b(?:RMB|USD|CNY|EUR)\s)?(?P<numbers>(?:{_NUMBER})(?:{_BETWEEN}(?:{_NUMBER}))*)"
    rf"(?:\s*(?P<zh>{_ZH_UNIT}|%|％)|[\s-](?P<en>(?:working\s|business\s|calendar\s|US\s)?[A-Za-z]+))?",
    re.IGNORECASE,
)
_SIGNS = {
    "$": "dollar",
    "¥": "money",
    "￥": "money",
    "€": "euro",
    "rmb": "money",
    "cny": "money",
    "usd": "dollar",
    "eur": "euro",
}
_LOOSE = {"date": "day", "months": "month"}
_YEAR = range(1500, 2200)


def quantities(text: str) -> dict[str, frozenset[str]]:
    """The numbers of a text by what they count, in the spelling of `numerals.numbers`. Years (`2026`) are left out."""
    found: dict[str, set[str]] = {}
    for date in _ENGLISH_DATE.finditer(text):
        month = (date.group(1) or date.group(4))[:3].lower()
        found.setdefault("month", set()).add(str(_MONTHS.index(month) + 1))
        found.setdefault("date", set()).add((date.group(2) or date.group(3)).lstrip("0"))
    rest = _ENGLISH_DATE.sub(" ", text)
    for match in _COUNTED.finditer(rest):
        if unit := _unit(match):
            said = match.group("numbers")
            stated = numbers(f"{said}天 {said} ")  # Chinese numerals are numbers only where they count something
            found.setdefault(unit, set()).update(each for each in stated if not _is_year(each, unit))
    return {unit: frozenset(values) for unit, values in found.items() if values}


def units_of_numbers(text: str) -> dict[str, frozenset[str]]:
    """What each number of a text counts; `5 日` counts days here, and `3 month` months."""
    found: dict[str, set[str]] = {}
    for unit, values in quantities(text).items():
        for value in values:
            found.setdefault(value, set()).add(_LOOSE.get(unit, unit))
    return {number: frozenset(units) for number, units in found.items()}


def years(text: str) -> frozenset[str]:
    """The years that a text names (`2026`, `2026年`)."""
    return frozenset(each for each in numbers(text) if _is_year(each, "year"))


def without_numbers(text: str) -> str:
    """The text with a blank for each number and what it counts."""
    return _COUNTED.sub(_blank, _ENGLISH_DATE.sub(" ", text))


def differing(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What both count, in numbers of which they share none."""
    return frozenset(unit for unit in one.keys() & other.keys() if one[unit].isdisjoint(other[unit]))


def _blank(match: re.Match[str]) -> str:
    if _unit(match):
        return " "
    is_word = not any(character.isascii() and character.isalnum() for character in match.group("numbers"))
    return match.group() if is_word else f" {match.group('en') or ''}"


def _unit(match: re.Match[str]) -> str | None:
    before = (match.group("before") or "").strip().lower()
    if before == "第":
        return None
    if before == "百分之":
        return "percent"
    if before in _SIGNS:
        return _SIGNS[before]
    if match.group("zh"):
        return _UNITS[match.group("zh")]
    words = [stem(word) for word in (match.group("en") or "").lower().split()]
    return _UNITS.get(" ".join(words)) or (_UNITS.get(words[0]) if words else None)


def _is_year(number: str, unit: str) -> bool:
    return unit in ("year", "date") and number.isdecimal() and int(number) in _YEAR
