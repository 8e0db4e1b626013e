"""What a generating model gets to see of documents: no control tokens, and what looks like instructions marked.

Marking is "datamarking" (Hines et al. 2024, Defending against indirect prompt injection with spotlighting): a sign
between the words of the suspicious stretch, whose meaning the prompt explains (`configs/prompts/answer.*.md`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kbcore.llm.interface import Source
from services.guard.instructions import Taint, inspect, inspect_text
from services.guard.plain_text import without_invisible

MARK = "ˆ"
"""Stands between the words of marked text; taken out of documents beforehand, and out of what a model says."""

_HAN = r"\u3400-\u9fff\uf900-\ufaff"
_BETWEEN = re.compile(rf"[ \t]+|(?<=[{_HAN}])(?=[{_HAN}])")
_OPENING = re.compile(
    r"<(?=[|｜/]|/?(?:system|assistant|instructions?|tool|function|invoke|im_|start_of|end_of|[a-z]{1,9}:invoke)"
    r"|<sys)|\[(?=/?INST\])|(?<=[|｜])>",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"^([#>*\s]{0,4})(system|assistant|human|user|developer|系统|助手|用户|系統)([^\S\n]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"={3,}")


@dataclass(frozen=True, slots=True)
class Handling:
    """What becomes of suspicious text: passages whose score is at least `above` are marked, or left out."""

    tainted: Literal["mark", "drop"] = "mark"
    above: float = 0.5


def inspect_source(source: Source) -> Taint:
    """The taint of a source."""
    return inspect_text(source.text, source.title, *source.heading)


def defanged(text: str) -> str:
    """The text without invisible characters, and with whatever could end a source or a chat turn broken up."""
    text = without_invisible(text).replace(MARK, "^")
    text = _OPENING.sub(lambda found: found.group() + " " if found.group() in "<[" else " " + found.group(), text)
    text = _FENCE.sub(lambda found: " ".join(found.group()), text)
    return _SPEAKER.sub(r"\1“\2”\3", text)


def marked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with the mark between the words (Chinese: characters) of these stretches."""
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], MARK, _BETWEEN.sub(MARK, text[start:end]), MARK]
        done = end
    return "".join((*pieces, text[done:]))


def shielded(sources: Sequence[Source], handling: Handling) -> tuple[list[Source], Mapping[int, Taint]]:
    """The sources as a model may see them, in order, and the taint of each that is suspicious, by number."""
    taints = {source.number: taint for source in sources if (taint := inspect_source(source)).score >= handling.above}
    kept = [source for source in sources if handling.tainted == "mark" or source.number not in taints]
    return [_shield(source, handling) for source in kept], taints


def _shield(source: Source, handling: Handling) -> Source:
    text = defanged(source.text)
    taint = inspect(text)  # again: the places have moved
    place = tuple(defanged(each) for each in (source.title, *source.heading))
    if inspect("\n".join(place)).score >= handling.above:
        place = tuple(marked(each, [(0, len(each))]) for each in place)
    spans = taint.spans if taint.score >= handling.above else ()
    return replace(source, title=place[0], heading=place[1:], text=marked(text, spans))


class Unmarking:
    """Takes the mark out of what a model says, piece by piece."""

    def __init__(self) -> None:
        self._before = ""

    def feed(self, piece: str) -> str:
        """The piece without marks: a space where one stood between letters, nothing between Chinese characters."""
        shown: list[str] = []
        for character in piece:
            if character != MARK:
                shown.append(character)
            elif self._before.isascii() and self._before.isalnum():
                shown.append(" ")
            self._before = character
        return "".join(shown)
