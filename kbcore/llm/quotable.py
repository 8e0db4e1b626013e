"""What of a source can be quoted and understood by itself: sentences, lists with their lead-in, table rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from kbcore.language.sentences import sentences
from kbcore.llm.interface import Source

LONGEST = 300
"""Characters; a lead-in takes along what follows it, and a table row its header, up to this length."""

_LEAD_IN = 40
"""Characters: a line that ends without a full stop and is shorter than this introduces what follows it."""
_ENDS = '。！？!?.…；;”」』"）)'


@dataclass(frozen=True, slots=True)
class Quote:
    """Characters `start:end` of a source's text."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words."""
        return self.source.text[self.start : self.end]

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
                yield Quote(source, table if end - table <= LONGEST else start, end)
            continue
        table = None
        last = _end_of_thought(text, spans, index)
        if last > index or len(spans) == 1 or not _is_lead_in(text[start:end]):
            yield Quote(source, start, spans[last][1])


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
