"""Cut a document into passages to index. Pure: the same text gives the same chunks, everywhere (ADR 0005)."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

from ingestion.chunk.fit import Piece, fit
from ingestion.chunk.join import join
from ingestion.chunk.sections import Block, blocks
from kbcore.domain.chunk import Chunk, ElementKind, StoredText
from kbcore.language.script import detect_language

_SEPARATOR = " > "
_SHORTEST_BUDGET = 4
"""Tokens. A passage gets at least these, and at least half of `max_tokens`: long headings are shortened first."""


def chunk(
    stored: StoredText,
    *,
    title: str,
    count_tokens: Callable[[Sequence[str]], list[int]],
    max_tokens: int,
    min_tokens: int,
) -> list[Chunk]:
    """The chunks of a document, in reading order and without overlap.

    - `chunk.text == stored.text[chunk.start:chunk.end]`; together they hold every visible character below headings.
      Headings are not in `text` but in `heading`, and in front of `embedded_text`: `title > chapter > section`,
      then the text. (A heading with nothing below it is indexed as text.)
    - `count_tokens([embedded_text]) <= max_tokens`, unless one single character has more tokens than that.
    - A table or a list is kept whole while it fits; a longer table is cut between rows, and `embedded_text` repeats
      its header row. Paragraphs are cut at sentence ends, then clauses, words, characters.
    - Neighbours under one heading are joined while one of them has fewer than `min_tokens`.

    `count_tokens` maps texts to token counts of the embedding model.
    """
    found = blocks(stored)
    prefixes = _prefixes(found, title, count_tokens, max_tokens)
    overhead = {heading: tokens for heading, (_, tokens) in prefixes.items()}
    budgets = [max(max_tokens - overhead[block.heading], _SHORTEST_BUDGET) for block in found]
    pieces = fit(stored.text, found, budgets, count_tokens)
    piece_budgets = [max_tokens - overhead[piece.block.heading] for piece in pieces]
    groups = join(stored.text, pieces, piece_budgets, min_tokens)
    return _within(stored, groups, prefixes, count_tokens, max_tokens)


def _prefixes(
    found: Sequence[Block], title: str, count_tokens: Callable[[Sequence[str]], list[int]], max_tokens: int
) -> dict[tuple[str, ...], tuple[str, int]]:
    """For each heading path: the line put in front of the passage, and its tokens (at most half of `max_tokens`)."""
    lines = {block.heading: _path_line(title, block.heading) for block in found}
    while True:
        counts = count_tokens(list(lines.values())) if lines else []
        sized = {heading: (lines[heading], count) for heading, count in zip(lines, counts, strict=True)}
        too_long = [heading for heading, (line, tokens) in sized.items() if tokens > max_tokens // 2 and line]
        if not too_long:
            return sized
        for heading in too_long:
            lines[heading] = _shortened(lines[heading])


def _path_line(title: str, heading: tuple[str, ...]) -> str:
    title = " ".join(title.split())
    parts = heading if not title or (heading and heading[0] == title) else (title, *heading)
    return _SEPARATOR.join(parts) + "\n" if parts else ""


def _shortened(line: str) -> str:
    """Without its outermost heading; the innermost one is cut to half."""
    _, separator, rest = line.partition(_SEPARATOR)
    if separator:
        return rest
    half = line[: len(line) // 2].strip()
    return half + "\n" if half else ""


def _within(
    stored: StoredText,
    groups: list[list[Piece]],
    prefixes: dict[tuple[str, ...], tuple[str, int]],
    count_tokens: Callable[[Sequence[str]], list[int]],
    max_tokens: int,
) -> list[Chunk]:
    """Build the chunks and count them as they will be embedded; the few that estimates let grow too long are cut."""
    text = stored.text
    while True:
        embedded = [_embedded_text(text, group, prefixes) for group in groups]
        counts = count_tokens(embedded) if embedded else []
        finer: list[list[Piece]] = []
        changed = False
        for group, tokens in zip(groups, counts, strict=True):
            parts = _halves(text, group, count_tokens) if tokens > max_tokens else [group]
            changed = changed or len(parts) > 1
            finer += parts
        if not changed:
            return [
                _chunk(stored, ordinal, group, whole, tokens)
                for ordinal, (group, whole, tokens) in enumerate(zip(groups, embedded, counts, strict=True))
            ]
        groups = finer


def _halves(text: str, group: list[Piece], count_tokens: Callable[[Sequence[str]], list[int]]) -> list[list[Piece]]:
    if len(group) > 1:
        middle = len(group) // 2
        return [group[:middle], group[middle:]]
    piece = group[0]
    if piece.end - piece.start == 1:
        return [group]
    block = replace(piece.block, start=piece.start, end=piece.end)
    (tokens,) = count_tokens([text[piece.start : piece.end]])
    parts = fit(text, [block], [max(1, tokens * 2 // 3)], count_tokens)
    return [[replace(part, block=piece.block, header=piece.header or part.header)] for part in parts]


def _embedded_text(text: str, group: Sequence[Piece], prefixes: dict[tuple[str, ...], tuple[str, int]]) -> str:
    first = group[0]
    prefix, _ = prefixes[first.block.heading]
    header = text[slice(*first.header)] + "\n" if first.header else ""
    return f"{prefix}{header}{text[first.start : group[-1].end]}"


def _chunk(stored: StoredText, ordinal: int, group: Sequence[Piece], embedded_text: str, tokens: int) -> Chunk:
    first, last = group[0], group[-1]
    passage = stored.text[first.start : last.end]
    span = stored.outline[bisect_right(stored.outline, first.start, key=attrgetter("start")) - 1]
    return Chunk(
        ordinal=ordinal,
        start=first.start,
        end=last.end,
        text=passage,
        heading=first.block.heading,
        page=span.page,
        kind=_main_kind(group),
        language=detect_language(passage),
        tokens=tokens,
        embedded_text=embedded_text,
    )


def _main_kind(group: Sequence[Piece]) -> ElementKind:
    sizes: Counter[ElementKind] = Counter()
    for piece in group:
        sizes[piece.block.kind] += piece.end - piece.start
    return sizes.most_common(1)[0][0]
