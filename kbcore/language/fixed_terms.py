"""Words of small closed classes, in one spelling for both languages: months, weekdays, currencies, how often.

A text that says `周三` or `euros` where another says `周四` or `dollars` says something else, however much they share.
"""

import re

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HAN_MONTHS = ("[一元]", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
_HAN_DAYS = ("一", "二", "三", "四", "五", "六", "[日天]")
_AMOUNT = r"(?:(?<=[\d万亿千百])|(?<=[\d万亿千百]\s))"
_OFTEN = {
    "hour": ("hourly", "小时"),
    "day": ("daily", "[天日]"),
    "week": ("weekly", "(?:周|星期)(?![二三四五六日天]|一(?![次个名]))"),
    "month": ("monthly", "个?月"),
    "quarter": ("quarterly", "个?季"),
    "year": ("(?:yearly|annual(?:ly)?)", "年"),
}
_NOT_OFTEN = "".join(rf"(?<!\b{word} )" for word in ("in", "for", "within", "after", "before", "than", "half", "of"))
"""Before "a year" where it is a length."""


def _month(name: str, number: int, han: str) -> str:
    """ "May I" and "may" are no months, nor is "march"."""
    english = rf"\b{name}\b(?!\s+(?:I|we|you|not|be)\b)|\b{name[:3]}\.(?=\s*\d)"
    return rf"{english}|(?<![\d.])0?{number}\s*月(?!度)|(?<!十){han}月(?!度)"


def _weekday(name: str, han: str) -> str:
    """`每周一次` is no Monday."""
    return rf"\b{name}s?\b|(?:周|星期|礼拜){han}(?![次个年天位名份])"


def _often(unit: str, adverb: str, han: str) -> str:
    return rf"\b(?i:(?:every|each|per|{_NOT_OFTEN}\ban?) {unit}\b|{adverb}\b)|每{han}"


_PATTERNS = {
    **{
        f"month {number}": _month(name, number, han)
        for number, (name, han) in enumerate(zip(_MONTHS, _HAN_MONTHS, strict=True), 1)
    },
    **{
        f"weekday {number}": _weekday(name, han)
        for number, (name, han) in enumerate(zip(_DAYS, _HAN_DAYS, strict=True), 1)
    },
    "yuan": rf"\b(?i:yuan|RMB|CNY|renminbi)\b|[¥￥]|人民币|{_AMOUNT}元",
    "US dollar": r"\b(?i:(?:US )?dollars?|USD)\b|(?<!HK)\$|美元|美金",
    "euro": r"\b(?i:euros?|EUR)\b|€|欧元",
    "pound": r"\b(?i:pounds? sterling|GBP)\b|£|英镑",
    "yen": r"\b(?i:yen|JPY)\b|日元",
    "Hong Kong dollar": r"\b(?i:HKD)\b|HK\$|港[元币]",
    **{f"every {unit}": _often(unit, *words) for unit, words in _OFTEN.items()},
}
_COMPILED = {term: re.compile(pattern) for term, pattern in _PATTERNS.items()}


def fixed_terms(text: str) -> frozenset[str]:
    """The terms of closed classes in `text`, each by one name: `month 3`, `weekday 1`, `yuan`, `every week`."""
    return frozenset(term for term, pattern in _COMPILED.items() if pattern.search(text))
