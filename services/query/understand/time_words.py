"""Time words: which day a question speaks of (`去年的`, `2024年上半年`, `last year's`, `Q3 2025`). No clock, no model.

Only what names one period is understood: `since 2024` and "2024 or 2025" do not ask for the state of a day.
"""

import re
from datetime import UTC, date, datetime, time

_ZH_PART = (
    "上半年|下半年|第?[一二三四1-4]个?季度|[qQ][1-4]|[hH][12]|"
    "(?:1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\\s*月份?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_EN_PART = (
    rf"(?:the )?(?:first|second) half|(?:the )?(?:first|second|third|fourth) quarter|h[12]|q[1-4]|(?:{_MONTH_NAMES})\.?"
)
_EN_YEAR = (
    r"(?:the )?(?:last|previous|this|next|coming) year|the year before last|(?:two|three) years ago"
    r"|(?<![\w.,/-])(?:19|20)\d\d(?![\w.,/-]*\d)"
)
_PERIOD = re.compile(
    rf"(?P<zh_year>去年|今年|明年|(?<!以)前年|后年|上一年度?|上年度|本年度?|(?<![\d-])(?:19|20)\d\d\s*年度?)"
    rf"(?:(?:的|\s)*(?P<zh_part>{_ZH_PART}))?"
    rf"|(?P<zh_alone>上半年|下半年|第[一二三四1-4]个?季度|(?<![\d第])[一二三四1-4]季度)"
    rf"|(?P<zh_near>(?<!以)[上本这下](?:一?个)?(?:月|季度))"
    r"|(?<![\d-])(?P<iso_year>(?:19|20)\d\d)-(?P<iso_month>0[1-9]|1[0-2])(?![\d-])"
    rf"|\b(?:(?P<en_part>{_EN_PART})(?: of| in)?,? )?(?P<en_year>{_EN_YEAR})(?: (?P<en_after>q[1-4]|h[12])\b)?"
    r"|\b(?P<en_alone>q[1-4]|h[12])(?![\w-])"
    r"|\b(?P<en_near>(?:last|previous|this|next) (?:month|quarter))\b",
    re.IGNORECASE,
)
_WITH_FRAME = re.compile(rf"(?:\b(?:in|for|during|of) )?(?:{_PERIOD.pattern})(?:['’]s\b|\s?的)?", re.IGNORECASE)
_BEFORE = re.compile(
    r"\b(?:since|before|until|till|after|by|from|to|through|than)\s+(?:the\s+)?$|(?:自从?|从|截至|截止到?)$", re.I
)
_AFTER = re.compile(r"^\s*(?:度?[初底末]|以?[来前后]|之[前后]|起|至今|至|到|[-–—~～]\s*\d|onwards?\b|or later)")
_PRESENT = re.compile(
    r"现行|当前|目前|现在|如今|最新|\b(?:current(?:ly)?|now|nowadays|today|present(?:ly)?|latest)\b", re.I
)
_DIGITS = {character: number for number, character in enumerate("零一二三四五六七八九十")}
_YEARS_AWAY = {"去年": -1, "今年": 0, "明年": 1, "前年": -2, "后年": 2, "上一年": -1, "上年": -1, "本年": 0}
_EN_YEARS_AWAY = {"last": -1, "previous": -1, "this": 0, "next": 1, "coming": 1, "two": -2, "three": -3}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


def time_spans(text: str) -> list[tuple[int, int]]:
    """Where words for a period stand."""
    return [match.span() for match in _PERIOD.finditer(text)]


def without_time(question: str) -> str:
    """The question without its words for a period: documents do not say `last year`."""
    return " ".join(_WITH_FRAME.sub(" ", question).split()) or question


def day_asked_about(question: str, today: date) -> datetime | None:
    """Midnight (UTC) of the middle day of the period that the question names; None if it names no single one.

    None as well for the period that holds `today`, and for `现行` or `current`: those ask about the present.
    """
    if _PRESENT.search(question):
        return None
    matches = list(_PERIOD.finditer(question))
    if len(matches) != 1 or _is_a_bound(question, matches[0]):
        return None
    start, months = _first_month(matches[0], today)
    if not 1 <= start[0] < 9999:
        return None
    first, end = _month(*start), _month(*start, later=months)
    if first <= today < end:
        return None
    return datetime.combine(first + (end - first) / 2, time(), UTC)


def _is_a_bound(question: str, match: re.Match[str]) -> bool:
    return bool(_BEFORE.search(question[: match.start()]) or _AFTER.search(question[match.end() :]))


def _first_month(match: re.Match[str], today: date) -> tuple[tuple[int, int], int]:
    """The first month of the period, as (year, month), and how many months it has."""
    if match["iso_year"]:
        return (int(match["iso_year"]), int(match["iso_month"])), 1
    if near := match["zh_near"] or match["en_near"]:
        return _near(near.lower(), today)
    year, part = today.year, match["zh_alone"] or match["en_alone"]
    if match["zh_year"]:
        year, part = _zh_year(match["zh_year"], today), match["zh_part"]
    elif match["en_year"]:
        year, part = _en_year(match["en_year"].lower(), today), match["en_part"] or match["en_after"]
    month, months = _part(part.lower().strip()) if part else (1, 12)
    return (year, month), months


def _zh_year(words: str, today: date) -> int:
    digits = re.match(r"\d{4}", words)
    return int(digits[0]) if digits else today.year + _YEARS_AWAY[words.removesuffix("度")]


def _en_year(words: str, today: date) -> int:
    if words.isdecimal():
        return int(words)
    if words == "the year before last":
        return today.year - 2
    return today.year + _EN_YEARS_AWAY[words.removeprefix("the ").split()[0]]


def _near(words: str, today: date) -> tuple[tuple[int, int], int]:
    months = 3 if words.endswith(("季度", "quarter")) else 1
    first = today.month if months == 1 else (today.month - 1) // 3 * 3 + 1
    away = -1 if words[0] in "上" or words.startswith(("last", "previous")) else 0
    away = 1 if words[0] == "下" or words.startswith("next") else away
    shifted = today.year * 12 + first - 1 + away * months
    return (shifted // 12, shifted % 12 + 1), months


def _part(words: str) -> tuple[int, int]:
    """The first month of a part of a year, and how many months it has."""
    if words.startswith(("上半", "h1")) or words.endswith("first half"):
        return 1, 6
    if words.startswith(("下半", "h2")) or words.endswith("second half"):
        return 7, 6
    if words.endswith("quarter"):
        return 3 * _ORDINALS[words.split()[-2]] - 2, 3
    if words.startswith("q") or "季度" in words:
        return 3 * _number(re.sub(r"[^1-4一二三四]", "", words)) - 2, 3
    if "月" in words:
        return _number(words.partition("月")[0].strip()), 1
    return _MONTHS.index(words[:3]) + 1, 1


def _number(words: str) -> int:
    return int(words) if words.isdecimal() else sum(_DIGITS[character] for character in words)


def _month(year: int, month: int, *, later: int = 0) -> date:
    count = year * 12 + month - 1 + later
    return date(count // 12, count % 12 + 1, 1)
