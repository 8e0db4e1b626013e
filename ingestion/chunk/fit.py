"""Cut blocks down to what the embedding model can read, at the best places that suffice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from ingestion.chunk.boundaries import CUTS, Range
from ingestion.chunk.sections import Block
from kbcore.domain.chunk import ElementKind

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, or a part of one that fits. `tokens` is an estimate; `header` is a table's header row to repeat."""

    block: Block
    start: int
    end: int
    tokens: int
    header: Range | None = None


@dataclass(slots=True)
class _Unit:
    block: int
    start: int
    end: int
    level: int
    tokens: int = 0


def fit(text: str, blocks: Sequence[Block], budgets: Sequence[int], count_tokens: CountTokens) -> list[Piece]:
    """The pieces of all blocks, in order; block `i` gets pieces of at most `budgets[i]` tokens.

    Works in rounds (everything that is too long is cut one level finer), so that tokens are counted in a few
    large batches however many blocks there are.
    """
    whole = [_Unit(index, block.start, block.end, 0) for index, block in enumerate(blocks)]
    _count(text, whole, count_tokens)
    headers = [_header(text, block, unit, budgets[unit.block]) for block, unit in zip(blocks, whole, strict=True)]
    header_tokens = _header_tokens(text, headers, count_tokens)
    room = [budget - tokens for budget, tokens in zip(budgets, header_tokens, strict=True)]
    for index, budget in enumerate(budgets):
        if room[index] < budget // 2:
            headers[index], room[index] = None, budget
    rounds = [unit for unit in whole if unit.tokens <= budgets[unit.block]]
    pending = [unit for unit in whole if unit.tokens > budgets[unit.block]]
    cut: list[_Unit] = []
    while pending:
        finer = [piece for unit in pending for piece in _cut(text, unit, blocks[unit.block].kind)]
        _count(text, finer, count_tokens)
        cut += [unit for unit in finer if unit.tokens <= room[unit.block] or unit.end - unit.start == 1]
        pending = [unit for unit in finer if unit.tokens > room[unit.block] and unit.end - unit.start > 1]
    pieces = [Piece(blocks[unit.block], unit.start, unit.end, unit.tokens) for unit in rounds]
    pieces += _packed(blocks, sorted(cut, key=lambda unit: unit.start), room, headers)
    return sorted(pieces, key=lambda piece: piece.start)


def _count(text: str, units: Sequence[_Unit], count_tokens: CountTokens) -> None:
    if units:
        counts = count_tokens([text[unit.start : unit.end] for unit in units])
        for unit, tokens in zip(units, counts, strict=True):
            unit.tokens = tokens


def _cut(text: str, unit: _Unit, kind: ElementKind) -> list[_Unit]:
    """The unit cut at the first level that yields more than one part (the last level always does)."""
    levels = CUTS[kind]
    for level in range(unit.level, len(levels)):
        ranges = levels[level](text, unit.start, unit.end)
        if len(ranges) > 1:
            following = min(level + 1, len(levels) - 1)
            return [_Unit(unit.block, start, end, following) for start, end in ranges]
    middle = (unit.start + unit.end) // 2
    return [_Unit(unit.block, *part, unit.level) for part in ((unit.start, middle), (middle, unit.end))]


def _header(text: str, block: Block, unit: _Unit, budget: int) -> Range | None:
    """The first row of a table that has to be cut."""
    if block.kind is not ElementKind.TABLE or unit.tokens <= budget:
        return None
    line_end = text.find("\n", block.start, block.end)
    return (block.start, line_end) if line_end > 0 else None


def _header_tokens(text: str, headers: Sequence[Range | None], count_tokens: CountTokens) -> list[int]:
    present = [header for header in headers if header]
    counts = iter(count_tokens([text[start:end] + "\n" for start, end in present]) if present else [])
    return [next(counts) if header else 0 for header in headers]


def _packed(
    blocks: Sequence[Block], units: Sequence[_Unit], room: Sequence[int], headers: Sequence[Range | None]
) -> list[Piece]:
    """Neighbouring units of one block, joined into pieces of about equal size rather than full ones and a remnant."""
    totals: dict[int, int] = {}
    for unit in units:
        totals[unit.block] = totals.get(unit.block, 0) + unit.tokens
    pieces: list[Piece] = []
    for unit in units:
        last = pieces[-1] if pieces else None
        limit = room[unit.block]
        aim = ceil(totals[unit.block] / max(1, ceil(totals[unit.block] / limit)))
        same_block = last is not None and last.block is blocks[unit.block]
        if last is not None and same_block and last.tokens < aim and last.tokens + unit.tokens <= limit:
            pieces[-1] = replace(last, end=unit.end, tokens=last.tokens + unit.tokens)
        else:
            header = headers[unit.block] if same_block else None
            pieces.append(Piece(blocks[unit.block], unit.start, unit.end, unit.tokens, header))
    return pieces
