"""What of a source can be quoted and understood by itself: sentences, lists with their lead-in, table rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kbcore.language.sentences import sentences
from kbcore.llm.interface import Source

LONGEST = 300
"""Characters; a lead-in takes along what follows it, and a table row its header, up to this length."""

_LEAD_IN = 40
"""Characters: a line that ends without a full stop and is shorter than this introduces what follows it."""
_LEANS_BACK = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|she|such|however|otherwise|also)\b|[其此该这那它]|上述|前款|但|否则|同时|另外",
    re.IGNORECASE,
)
_ENDS = '。！？!?.…；;”」』"）)'


@dataclass(frozen=True, slots=True)
class Quote:
    """Characters `start:end` of a source's text; what it is about begins at `focus`, before that stands its context."""

    source: Source
    start: int
    end: int
    focus: int

    @property
    def text(self) -> str:
        """The words."""
        return self.source.text[self.start : self.end]

    @property
    def gist(self) -> str:
        """What it is judged by: of a table's rows only the first and the last."""
        text = self.source.text
        if text[self.focus] == "|" and self.focus > self.start:
            return text[self.start : text.index("\n", self.start)] + "\n" + text[self.focus : self.end]
        return self.text

    def overlaps(self, other: "Quote") -> bool:
        """True if they share characters, or are copies of each other."""
        shared = self.source.number == other.source.number and self.start < other.end and other.start < self.end
        return shared or self.text == other.text


def quotable(source: Source) -> Iterator[Quote]:
    """Every stretch that can stand alone, in order; they may overlap."""
    text, spans = source.text, sentences(source.text)
    table: int | None = None
    for index, (start, end) in enumerate(spans):
        if text[start:end].startswith("|"):
            is_header = table is None and index + 1 < len(spans) and text[spans[index + 1][0]] == "|"
            table = start if table is None else table
            if not is_header and any(character.isalnum() for character in text[start:end]):
                yield Quote(source, table if end - table <= LONGEST else start, end, start)
            continue
        table = None
        last = _end_of_thought(text, spans, index)
        if last > index or len(spans) == 1 or not _is_lead_in(text[start:end]):
            first = _start_of_thought(text, spans, index)
            yield Quote(source, first, spans[last][1], start)


def _start_of_thought(text: str, spans: list[tuple[int, int]], index: int) -> int:
    """Where the quote of the sentence at `index` begins: "It does not carry over." needs the sentence before it."""
    start, end = spans[index]
    if index and _LEANS_BACK.match(text, start, end) and "\n" not in text[spans[index - 1][0] : start]:
        return spans[index - 1][0]
    return start


def _end_of_thought(text: str, spans: list[tuple[int, int]], first: int) -> int:
    """The index of the last sentence that the one at `first` needs to make sense."""
    start, last = spans[first][0], first
    while _is_lead_in(text[start : spans[last][1]]) and last + 1 < len(spans):
        if spans[last + 1][1] - start > LONGEST:
            break
        last += 1
    return last


def _is_lead_in(text: str) -> bool:
    line = text.rsplit("\n", 1)[-1].rstrip()
    if line.endswith(("：", ":")) or line.startswith("|"):
        return True
    return len(text) < _LEAD_IN and not line.endswith(tuple(_ENDS))
