"""Sentence boundaries in Chinese and English, as offsets: `text[start:end]` is the sentence, always.

A rule list rather than a model: quotes and citations are cut at these offsets, so they must be the same on every
machine, and fast (about 10 MB/s). Known limits are pinned in the tests.
"""

import re

_CLOSERS = "\"'”’»）)】〕］]』」》〉"
_BOUNDARY = re.compile(
    rf"""
      (?: [。！？!?]+ | …{{2,}} | ；(?=\s*\n) ) [{re.escape(_CLOSERS)}]*   # Chinese ends need no space after them
    | \.+ [{re.escape(_CLOSERS)}]* (?=\s|$|[\u3400-\u9fff])                # a full stop needs one
    | \n\s*\n | \n                                                         # a line of its own is a sentence of its own
    """,
    re.VERBOSE,
)
_END = re.compile(rf"(?:[。！？!?]|……|(?<!\d)\.)[{re.escape(_CLOSERS)}]*$")
_ABBREVIATION = re.compile(
    r"""(?:^|[\s(\["'“‘])(?:
        [A-Z] | Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Rev|Gen|Col|Capt|Lt|Sgt|Hon
      | vs|etc|cf|al|ca|approx|dept|est|fig|figs|eq|eqs|sec|ch|no|nos|vol|vols|pp|p|ed|eds|art|para|ref|refs|tab|app
      | Fig|Figs|Eq|Sec|Ch|No|Nos|Vol|Art|Para|Ref|Tab|App|Inc|Ltd|Co|Corp|Dept
      | Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec | Mon|Tue|Wed|Thu|Fri|Sat|Sun
      | (?:[A-Za-z]\.)+[A-Za-z]
    )$""",
    re.VERBOSE,
)
_FINAL_TOO = re.compile(r"(?:etc|Inc|Ltd|Co|Corp|[ap]\.m|[A-Z]\.[A-Z](?:\.[A-Z])*)$")
"""Abbreviations that also end sentences: a capital after them decides."""
_NUMBERING = re.compile(r"^\s*(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})$")
_OPEN_TO_CLOSE = {"“": "”", "「": "」", "『": "』", "（": "）", "(": ")", "【": "】", "《": "》"}
_BRACKETS = re.compile("[" + re.escape("".join(_OPEN_TO_CLOSE) + "".join(_OPEN_TO_CLOSE.values())) + "]")
_LONGEST_ABBREVIATION = 24
"""Characters looked at before a full stop."""
_LONGEST_ASIDE = 300
"""Characters: a bracket that is not closed within this distance is a typing error, not an aside."""


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of `text` as `(start, end)` offsets, in order, non-overlapping, without surrounding white space.

    Every non-blank character belongs to exactly one sentence. A sentence end inside quotes or brackets does not
    count unless the closing mark follows it directly: `他说：“好。我来。”` is one sentence. Lines end sentences: hard
    wraps were joined when the text was cleaned.
    """
    asides = _asides(text)
    found: list[tuple[int, int]] = []
    start = aside = 0
    for boundary in _BOUNDARY.finditer(text):
        end = boundary.end()
        while aside < len(asides) and asides[aside][1] < end:
            aside += 1
        inside = aside < len(asides) and asides[aside][0] < boundary.start()
        if boundary.group()[0] != "\n" and (inside or _is_inner_stop(text, start, boundary)):
            continue
        _append(found, text, start, end)
        start = end
    _append(found, text, start, len(text))
    return found


def ends_sentence(text: str) -> bool:
    """Whether the text ends where a sentence does; a full stop after a digit may be a decimal's."""
    return _END.search(text.rstrip()) is not None


def _append(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return
    first = start + piece.index(stripped[0])
    if found and not any(character.isalnum() for character in stripped) and "\n" not in text[found[-1][1] : first]:
        found[-1] = (found[-1][0], first + len(stripped))
        return
    found.append((first, first + len(stripped)))


def _is_inner_stop(text: str, start: int, boundary: re.Match[str]) -> bool:
    """Whether a full stop belongs to an abbreviation, an initial or a list number rather than to the sentence's end."""
    if boundary.group()[0] != ".":
        return False
    before = text[max(start, boundary.start() - _LONGEST_ABBREVIATION) : boundary.start()]
    following = text[boundary.end() : boundary.end() + 40].lstrip()
    if _NUMBERING.search(before):
        return True
    if not following or not (following[0].islower() or _ABBREVIATION.search(before)):
        return False
    return not (_FINAL_TOO.search(before) and following[0].isupper())


def _asides(text: str) -> list[tuple[int, int]]:
    """Outermost bracketed and quoted stretches, in order; unbalanced and very long ones do not count."""
    found: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for mark in _BRACKETS.finditer(text):
        character, position = mark.group(), mark.start()
        if opened and position - opened[0][1] > _LONGEST_ASIDE:
            opened.clear()
        if character in _OPEN_TO_CLOSE:
            opened.append((_OPEN_TO_CLOSE[character], position))
        elif opened and opened[-1][0] == character:
            _, begin = opened.pop()
            if not opened and "\n\n" not in text[begin:position]:
                found.append((begin, position))
    return found
