"""The numbers that a text states, in one spelling: `3,000`, `三千` and `3千` are all `3000`, `百分之十五` is `15`."""

import re

_DIGIT = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10_000, "亿": 100_000_000}
_HAN_NUMBER = "零〇一二两三四五六七八九十百千万亿"
_COUNTED = "天日周月年季岁个名人次倍级档小分秒元块条章节款项期号层楼台件份种类位家页张折吨米公里度点"
_HAN = re.compile(rf"(?<![\d.])(?:百分之([{_HAN_NUMBER}]+)|第?([{_HAN_NUMBER}]+)(?=[{_COUNTED}]))")
_ARABIC = re.compile(r"(?<![A-Za-z0-9_.])(\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s*([千万亿]))?")
_WORDS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40",
    "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100",
}  # fmt: skip
_WORD = re.compile(r"\b(" + "|".join(_WORDS) + r")\b", re.IGNORECASE)


def numbers(text: str) -> frozenset[str]:
    """Every number in `text`, as plain decimals. Chinese numerals count where they count something (`五天`, `第三章`),
    so that `统一` and `一些` state none; of the English words all but "one", which is mostly a pronoun.
    """
    found = {_arabic(match) for match in _ARABIC.finditer(text)}
    found |= {str(_han(match.group(1) or match.group(2))) for match in _HAN.finditer(text)}
    found |= {_WORDS[match.group(1).lower()] for match in _WORD.finditer(text)}
    return frozenset(found)


def _arabic(match: re.Match[str]) -> str:
    scale = {**_SMALL, **_BIG}.get(match.group(2) or "", 1)
    return f"{float(match.group(1).replace(',', '')) * scale:.6f}".rstrip("0").rstrip(".")


def _han(numeral: str) -> int:
    if len(numeral) > 1 and not set(numeral) - set(_DIGIT):
        return int("".join(str(_DIGIT[character]) for character in numeral))  # 二〇二六
    total = section = digit = 0
    for character in numeral:
        if character in _DIGIT:
            digit = _DIGIT[character]
        elif character in _SMALL:
            section, digit = section + (digit or 1) * _SMALL[character], 0
        else:
            total, section, digit = (total + section + digit) * _BIG[character], 0, 0
    return total + section + digit
