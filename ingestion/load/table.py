"""Tables as text: one row a line, cells between bars, the header row first. Search and people read the same thing."""

from collections.abc import Iterable, Sequence

from lxml import html

Rows = list[list[str]]

_MOST_CELLS = 2_000_000
_MOST_SPAN = 1000


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """`| a | b |` lines. Empty rows and columns are dropped; line breaks inside cells become spaces, bars `\\|`."""
    clean = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row for row in clean if any(row)]
    if not filled:
        return ""
    width = max(len(row) for row in filled)
    padded = [row + [""] * (width - len(row)) for row in filled]
    kept = [column for column in range(width) if any(row[column] for row in padded)]
    return "\n".join("| " + " | ".join(row[column] for column in kept) + " |" for row in padded)


def rows_of_html(markup: str) -> Rows:
    """The rows of the first table in `markup`; a merged cell's text stands in every place that it covers."""
    if not markup.strip():
        return []
    return rows_of_element(html.fragment_fromstring(markup, create_parent="div"))


def rows_of_element(table: html.HtmlElement) -> Rows:
    """As `rows_of_html`, for an lxml element; rows of tables nested inside are not separate rows."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    cells = 0
    for row in table.iter("tr"):
        line: list[str] = []
        for cell in row.iterchildren("td", "th"):
            _carry_down(line, below)
            text = " ".join(" ".join(cell.itertext()).split())
            height = _span(cell.get("rowspan"))
            for _ in range(_span(cell.get("colspan"))):
                if height > 1:
                    below[len(line)] = (height - 1, text)
                line.append(text)
        _carry_down(line, below)
        grid.append(line)
        cells += len(line)
        if cells > _MOST_CELLS:
            break
    return grid


def _carry_down(line: list[str], below: dict[int, tuple[int, str]]) -> None:
    """Fill the next places of `line` that a cell further up reaches down into."""
    while len(line) in below:
        rows_left, text = below.pop(len(line))
        if rows_left > 1:
            below[len(line)] = (rows_left - 1, text)
        line.append(text)


def _span(value: str | None) -> int:
    try:
        return min(max(int(value or 1), 1), _MOST_SPAN)
    except ValueError:
        return 1
