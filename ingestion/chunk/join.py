"""Put small neighbours of one section together, so that no passage is too short to mean anything alone."""

from collections.abc import Sequence

from ingestion.chunk.fit import Piece

_LEAD_IN = (":", "：")


def join(text: str, pieces: Sequence[Piece], budgets: Sequence[int], min_tokens: int) -> list[list[Piece]]:
    """Groups of neighbouring pieces, each of which becomes one chunk; `budgets[i]` is for piece `i`.

    Joined are pieces of the same section of which one has fewer than `min_tokens`, and a lead-in ("as follows:")
    with what it leads to, as far as both fit into the budget. A table's continuation stands alone: its header row
    is put in front of it.
    """
    groups: list[list[Piece]] = []
    for index, piece in enumerate(pieces):
        if groups and _belongs(text, groups[-1], pieces, index, budgets[index], min_tokens):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _belongs(
    text: str, group: Sequence[Piece], pieces: Sequence[Piece], index: int, budget: int, min_tokens: int
) -> bool:
    piece = pieces[index]
    size = _size(group)
    if not _compatible(group[-1], piece) or size + piece.tokens > budget:
        return False
    if _leads_in(text, group[-1]):
        return True
    if _leads_in(text, piece) and index + 1 < len(pieces):
        following = pieces[index + 1]
        if _compatible(piece, following) and size + piece.tokens + following.tokens > budget:
            return False
    return size < min_tokens or piece.tokens < min_tokens


def _compatible(left: Piece, right: Piece) -> bool:
    return left.block.section == right.block.section and left.header is None and right.header is None


def _leads_in(text: str, piece: Piece) -> bool:
    return text.endswith(_LEAD_IN, piece.start, piece.end)


def _size(group: Sequence[Piece]) -> int:
    return sum(piece.tokens for piece in group)
