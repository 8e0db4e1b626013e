"""Headings of texts that do not mark them: plain text, PDF, Word files written without styles."""

import re
from collections.abc import Sequence
from dataclasses import replace

from kbcore.domain.chunk import Element, ElementKind

_LONGEST = 60
"""Characters. A longer line is a paragraph that happens to begin with a number."""
_NUMERAL = r"[0-9〇零一二三四五六七八九十百千两]{1,6}"
_PATTERNS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"^第\s?{_NUMERAL}\s?[编篇部卷](?:\s|$|[^\d\s，。])"), 1),
    (re.compile(rf"^第\s?{_NUMERAL}\s?章(?:\s|$|\S)"), 2),
    (re.compile(rf"^第\s?{_NUMERAL}\s?节(?:\s|$|\S)"), 3),
    (re.compile(rf"^第\s?{_NUMERAL}\s?条\s*(?:[（(【].{{1,40}}[）)】]|\S{{1,20}})?$"), 4),
    (re.compile(r"^(?:附件|附录|附表)\s?[0-9一二三四五六七八九十A-Z]{0,3}(?:\s|[:：]|$)"), 2),
    (re.compile(r"^(?:前言|引言|总则|目录|摘要|概述|结论|参考文献)$"), 2),
    (re.compile(r"^(?:part|book)\s+(?:\d+|[ivxlc]+|one|two|three|four|five)\b", re.IGNORECASE), 1),
    (re.compile(r"^(?:chapter|appendix|annex)\s+(?:\d+|[ivxlc]+|[a-z])\b", re.IGNORECASE), 2),
    (re.compile(r"^(?:section|article)\s+\d+(?:\.\d+)*\b", re.IGNORECASE), 3),
    (re.compile(r"^[一二三四五六七八九十]{1,3}、\S"), 5),
    (re.compile(r"^[（(][一二三四五六七八九十]{1,3}[）)]\s?\S"), 6),
)
_DECIMAL = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})(?:\.|．|、)?(?:\s+|(?=[\u3400-\u9fff]))(?=[A-Z\u3400-\u9fff])")
_DECIMAL_TOP = 5
_UNIT = re.compile(r"^\d[\d.]*(?:\s?(?:[倍元万亿%‰岁]|小时|分钟|个月|个工作日)|[年月日天个号次人名周秒种类项点])")
_LISTED = re.compile(r"^(\d{1,3})[.)、．](?!\d)")
_MARKDOWN = re.compile(r"^(#{1,6})\s+(?=\S)")
_SENTENCE = re.compile(r"[。！？!?；;，,：:、]$|[.](?<!\d\.)$|[。；！？，]")


def heading_depth(line: str) -> int | None:
    """The depth (1 = top) of a heading line, or None for text. Depths order kinds of headings; gaps mean nothing.

    第一编 1, 第三章 / Chapter 3 / 附件 2, 第二节 / Section 2 3, 第十二条 (alone on its line) 4, 一、 and "1 Scope" 5,
    （一） and "1.2 Leave" 6, and so on. A line that ends like a sentence is never a heading.
    """
    line = line.strip()
    if not line or len(line) > _LONGEST or "\n" in line or _SENTENCE.search(line):
        return None
    for pattern, depth in _PATTERNS:
        if pattern.match(line):
            return depth
    decimal = _DECIMAL.match(line)
    if decimal and not _UNIT.match(line):
        return _DECIMAL_TOP + decimal.group(1).count(".")
    return None


def marked_depth(line: str) -> int | None:
    """The depth of a line marked in the manner of Markdown (`## Leave`), which people use in plain text too."""
    marked = _MARKDOWN.match(line)
    return len(marked.group(1)) if marked and len(line) <= 2 * _LONGEST else None


def demote_runs(elements: Sequence[Element]) -> list[Element]:
    """Numbered lines that follow each other with nothing between ("1. …", "2. …") are a list, not empty sections."""
    numbers = [_number(element) for element in elements]
    found = list(elements)
    for index, number in enumerate(numbers):
        before = numbers[index - 1] if index else None
        after = numbers[index + 1] if index + 1 < len(numbers) else None
        if number is not None and (before == number - 1 or after == number + 1):
            found[index] = replace(found[index], kind=ElementKind.LIST_ITEM, depth=None)
    return found


def _number(element: Element) -> int | None:
    match = _LISTED.match(element.text) if element.kind in (ElementKind.HEADING, ElementKind.LIST_ITEM) else None
    return int(match.group(1)) if match else None
