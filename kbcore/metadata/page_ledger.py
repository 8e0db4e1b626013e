"""The ledger of one version, down to its pages: what parsing found, what was indexed of it, and what was not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.metadata.tables import version_chunks, versions

_NOT_INDEXED = {"header": "running_header", "footer": "running_footer"}
"""Kinds that are counted and left out of the text, and why."""


@dataclass(slots=True)
class PageItems:
    """One page (None where the format has no pages): its elements by kind, their characters, and its chunks.

    A chunk is counted where it begins.
    """

    page: int | None
    elements: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was counted and not indexed: `running_header`, `running_footer` or `page_without_text`.

    `pages` names the pages where that is known.
    """

    why: str
    items: int
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PageLedger:
    """A version's books. `elements` counts everything that parsing found, by kind."""

    elements: Mapping[str, int]
    pages: Sequence[PageItems]
    left_out: Sequence[LeftOut]


def pages_of(connection: Connection, generation_id: int | None, document_id: str, number: int) -> PageLedger:
    """The books of a version; empty before it is parsed, and after its text was purged.

    Chunks are those of this generation of the index; None = there is none yet.
    """
    version = connection.execute(
        sa.select(versions.c.outline, versions.c.pages, versions.c.element_counts).where(
            versions.c.document_id == document_id, versions.c.number == number
        )
    ).one()
    counts = dict(version.element_counts)
    counts.pop("pages_without_text", None)  # pages, not elements; which ones they are is seen below
    parsed = version.outline is not None
    pages: dict[int | None, PageItems]
    pages = {page: PageItems(page) for page in range(1, (version.pages or 0) + 1)} if parsed else {}
    for kind, start, end, page, _depth in version.outline or ():
        item = pages.setdefault(page, PageItems(page))
        item.elements[kind] += 1
        item.characters += end - start
    for row in connection.execute(_chunks(generation_id, document_id, number)):
        pages.setdefault(row.page, PageItems(row.page)).chunks += row.items
    empty = tuple(page for page, item in pages.items() if page is not None and not item.elements)
    left_out = [LeftOut(why, counts[kind]) for kind, why in _NOT_INDEXED.items() if counts.get(kind)]
    if empty:
        left_out.append(LeftOut("page_without_text", len(empty), empty))
    ordered = sorted(pages.values(), key=lambda item: (item.page is not None, item.page or 0))
    return PageLedger(counts, ordered, left_out)


def _chunks(generation_id: int | None, document_id: str, number: int) -> sa.Select[tuple[int | None, int]]:
    return (
        sa.select(version_chunks.c.page, sa.func.count().label("items"))
        .where(
            version_chunks.c.generation_id == generation_id,
            version_chunks.c.document_id == document_id,
            version_chunks.c.version == number,
        )
        .group_by(version_chunks.c.page)
    )
