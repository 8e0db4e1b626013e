"""Take out the spaces that PDF extraction puts inside Chinese words (持股比 例), and keep those that are meant."""

import re
from itertools import pairwise

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_MARK = "\u3001-\u3003\u3008-\u3011\u3014-\u301b\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\u2014\u2026"
_AT_MARK = re.compile(f"(?<=[{_HAN}{_MARK}]) +(?=[{_MARK}])|(?<=[{_MARK}]) +(?=[{_HAN}{_MARK}])")
_ORDINAL = "章节条编篇部卷款"
_GAP = re.compile(f"(?<=[{_HAN}])(?<!第[{_HAN}][{_ORDINAL}])(?<!第[{_HAN}]{{2}}[{_ORDINAL}]) +(?=[{_HAN}])")
_STRETCH = re.compile(f"[{_HAN}]+(?: +[{_HAN}]+)+")
_PROSE = re.compile("[，。；、！？]")


def close_gaps(text: str) -> str:
    """`text` without spaces inside Chinese words; spaces between Chinese and Latin words stay.

    Between Han characters a space goes when a single character stands alone beside it (公 司, 比 例), and in prose
    (a line with Chinese punctuation) always, but for the one after a chapter's number. Lines without punctuation are
    headings, lists of names, rows of columns: their other spaces are meant.
    """
    return "\n".join(_close(_AT_MARK.sub("", line)) for line in text.split("\n"))


def _close(line: str) -> str:
    if _PROSE.search(line):
        return _GAP.sub("", line)
    return _STRETCH.sub(lambda match: _closed_stretch(match.group()), line)


def _closed_stretch(stretch: str) -> str:
    runs = stretch.split()
    joined = runs[0]
    for left, right in pairwise(runs):
        joined += right if len(left) == 1 or len(right) == 1 else f" {right}"
    return joined
