"""Line breaking for Chinese and English together: Rich breaks at spaces only, and Chinese has none."""

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

_WIDE = r"\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING = r"（《〈“‘「『【〔\["
_CLOSING = r"，。；：！？、）》〉”’」』】〕\]…"
# A unit that stays on one line: a wide character or a word, with its opening and closing punctuation.
_UNIT = re.compile(rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*")


class Wrapped:
    """A text that is wrapped to the width it gets: between Chinese characters, at spaces, never before a full stop."""

    def __init__(self, text: Text) -> None:
        self.text = text

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for paragraph in self.text.split("\n", allow_blank=True):
            for line in paragraph.divide(breaks(paragraph.plain, options.max_width)):
                line.rstrip()
                line.overflow = "fold"  # a single word wider than the line
                yield line

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        widest = max((cell_len(line) for line in self.text.plain.split("\n")), default=0)
        return Measurement(min(8, options.max_width), min(max(widest, 1), options.max_width))


def breaks(line: str, width: int) -> list[int]:
    """Where to break a line so that each piece is at most `width` terminal cells wide, unless one unit is wider."""
    found: list[int] = []
    used = 0
    for unit in _UNIT.finditer(line):
        needed = cell_len(unit.group())
        if used and unit.group().strip() and used + needed > width:
            found.append(unit.start())
            used = 0
        used += needed
    return found
