"""From a document's outline to blocks: what must stay together, under which headings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from kbcore.domain.chunk import ElementKind, Span, StoredText

TOP_DEPTH = 1


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a whole list, a table or a code listing: characters `start:end`.

    `section` numbers the stretch between two headings; only blocks of one section may share a chunk.
    """

    kind: ElementKind
    start: int
    end: int
    heading: tuple[str, ...]
    section: int


def blocks(stored: StoredText) -> list[Block]:
    """The blocks of a document in reading order.

    A heading is the path of what stands below it, not a block. Only a heading with nothing below it (an empty
    section, a slide that is all title) becomes a block under its parent, so that its words can still be found.
    """
    found: list[Block] = []
    path: list[tuple[int, str]] = []
    section = 0
    for span, is_empty_section in _with_emptiness(stored.outline):
        if span.kind is ElementKind.HEADING:
            depth = span.depth or TOP_DEPTH
            path = [entry for entry in path if entry[0] < depth]
            if not is_empty_section:
                path.append((depth, " ".join(stored.text[span.start : span.end].split())))
                section += 1
                continue
        heading = tuple(text for _, text in path)
        last = found[-1] if found else None
        if span.kind is ElementKind.HEADING and not (last and last.heading == heading):
            section += 1
        if last and span.kind is ElementKind.LIST_ITEM is last.kind and last.section == section:
            found[-1] = Block(last.kind, last.start, span.end, heading, section)
        elif stored.text[span.start : span.end].strip():
            kind = ElementKind.TEXT if span.kind is ElementKind.HEADING else span.kind
            found.append(Block(kind, span.start, span.end, heading, section))
    return found


def _with_emptiness(outline: tuple[Span, ...]) -> Iterator[tuple[Span, bool]]:
    """Each span, and whether it is a heading with neither text nor a deeper heading below it."""
    for span, following in pairwise((*outline, None)):
        if span is None:
            return
        is_last = following is None or (
            following.kind is ElementKind.HEADING and (following.depth or TOP_DEPTH) <= (span.depth or TOP_DEPTH)
        )
        yield span, span.kind is ElementKind.HEADING and is_last
