"""Plain text: paragraphs at blank lines, headings and lists by their wording."""

import re
from collections.abc import Iterator
from pathlib import Path

from ingestion.load.encoding import decode
from ingestion.load.headings import demote_runs, heading_depth, marked_depth
from ingestion.load.limits import Limits
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import TEXT

_BLANK = re.compile(r"\n[ \t\u3000]*(?:\n[ \t\u3000]*)+")
_ITEM = re.compile(r"^\s*(?:[-*•·▪●○➢✓]\s+|\d{1,3}[.)、．]\s*(?=\D)|[（(]\d{1,3}[)）]\s*|[①-⑳])\S")
_INDENTED = re.compile(r"^(?:\u3000{2}|[ \t]{2,})\S")
_UNDERLINE = re.compile(r"^([=\-~*_])\1{2,}$")


def load(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """A text file."""
    return Loaded(read_text(decode(path.read_bytes())), TEXT)


def read_text(text: str) -> tuple[Element, ...]:
    """The elements of a plain text. A paragraph keeps its line breaks; cleaning decides whether they mean anything."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    blocks = ([line for line in block.split("\n") if line.strip()] for block in _BLANK.split(text))
    return tuple(demote_runs([element for block in blocks for element in _read_block(block)]))


def _read_block(lines: list[str]) -> Iterator[Element]:
    paragraph: list[str] = []
    for line in lines:
        bare = line.strip()
        depth = marked_depth(bare) or heading_depth(bare)
        if _UNDERLINE.match(bare) and len(paragraph) == 1:
            yield Element(ElementKind.HEADING, paragraph.pop(), depth=1 if bare[0] in "=*" else 2)
        elif _UNDERLINE.match(bare):
            continue
        elif depth is not None:
            yield from _closed(paragraph)
            yield Element(ElementKind.HEADING, bare.lstrip("# ") if marked_depth(bare) else bare, depth=depth)
        elif _ITEM.match(line):
            yield from _closed(paragraph)
            yield Element(ElementKind.LIST_ITEM, bare)
        else:
            if _INDENTED.match(line) and paragraph and not _INDENTED.match(paragraph[-1]):
                yield from _closed(paragraph)
            paragraph.append(bare)
    yield from _closed(paragraph)


def _closed(paragraph: list[str]) -> Iterator[Element]:
    if paragraph:
        yield Element(ElementKind.TEXT, "\n".join(paragraph))
        paragraph.clear()
