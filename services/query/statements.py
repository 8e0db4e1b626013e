"""Cuts an answer, as it arrives, into statements: a sentence and the markers that belong to it."""

import re
from dataclasses import dataclass

from kbcore.language.sentences import sentences

_MARKER = re.compile(r"\s*[\[【［](\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)[\]】］]")
_UNFINISHED_MARKER = re.compile(r"\s*[\[【［][\d\s,，、]*$")
_LEADING_MARKERS = re.compile(rf"(?:{_MARKER.pattern})+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that an answer says: `lead` is the white space before it, `text` has no markers, `cited` are those."""

    lead: str
    text: str
    cited: tuple[int, ...]


class StatementCutter:
    """Takes an answer piece by piece and gives back every statement as soon as it is surely complete.

    What comes out does not depend on how the answer was cut into pieces.
    """

    def __init__(self) -> None:
        self._pending = ""

    def feed(self, piece: str) -> list[Statement]:
        """The statements that this piece completes."""
        self._pending += piece
        spans = _spans(self._pending)
        # The last one may go on, and may still get its markers after the full stop.
        complete, self._pending = spans[:-1], "".join(spans[-1:])
        return [_statement(raw) for raw in complete]

    def end(self) -> list[Statement]:
        """What is left when the answer is over."""
        rest, self._pending = _spans(self._pending), ""
        return [_statement(raw) for raw in rest if raw.strip()]


def _spans(text: str) -> list[str]:
    """Consecutive pieces that add up to `text`, each a statement with its markers, lead first."""
    pieces: list[str] = []
    for start, end in sentences(text):
        done = sum(map(len, pieces))
        piece = text[done:end]
        if pieces and not _stands_alone(text[start:end], after=pieces[-1], gap=text[done:start]):
            pieces[-1] += piece
            continue
        if pieces and (markers := _LEADING_MARKERS.match(piece)) and "\n" not in markers.group():
            pieces[-1] += markers.group()
            piece = piece[markers.end() :]
        if piece:
            pieces.append(piece)
    if rest := text[sum(map(len, pieces)) :]:
        pieces = [*pieces[:-1], pieces[-1] + rest] if pieces else [rest]
    return pieces


def _stands_alone(sentence: str, *, after: str, gap: str) -> bool:
    if after.count("“") > after.count("”"):  # a quotation goes on
        return False
    bare = _MARKER.sub("", sentence)
    if "\n" in gap:
        return True
    return any(character.isalnum() for character in _UNFINISHED_MARKER.sub("", bare))


def _statement(raw: str) -> Statement:
    body = raw.strip()
    lead = raw[: len(raw) - len(raw.lstrip())]
    cited = [int(number) for marker in _MARKER.finditer(body) for number in re.findall(r"\d+", marker.group(1))]
    return Statement(lead, _MARKER.sub("", body).strip(), tuple(dict.fromkeys(cited)))
