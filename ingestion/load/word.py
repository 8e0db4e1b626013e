"""Word documents (docx)."""

import zipfile
from pathlib import Path

from ingestion.load import offline
from ingestion.load.archive import open_archive
from ingestion.load.headings import demote_runs, heading_depth
from ingestion.load.limits import Limits
from ingestion.load.office import ordinary_copy
from ingestion.load.partitioned import LANGUAGES, converted, styled
from ingestion.load.word_extras import read_boxes_and_notes
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import DOCX
from kbcore.errors import ItemFailed

_MOST_HEADINGS = 0.4
"""Share of elements. When rules make more than this a heading, they have mistaken a list for an outline."""


def load(path: Path, limits: Limits) -> Loaded:
    """A .docx file: styles say what is a heading; where a document uses none (but for its title), its
    wording does.

    Text boxes, footnotes and endnotes follow at the end. Headers and footers come marked as such.
    """
    try:
        with open_archive(path, limits.max_expansion) as archive, ordinary_copy(archive, path) as copy:
            elements, title = _read(copy)
            with zipfile.ZipFile(copy) as ordinary:
                extras = read_boxes_and_notes(ordinary)
    except _damage() as error:
        raise ItemFailed(
            "broken_file", f"The document is damaged ({type(error).__name__}). Open it in Word and save it again."
        ) from None
    if sum(element.kind is ElementKind.HEADING for element in elements) <= 1:
        elements = _with_headings(elements)
    return Loaded((*elements, *extras), DOCX, title=title)


def _read(path: Path) -> tuple[list[Element], str | None]:
    offline.prepare()
    import docx  # noqa: PLC0415 — heavy
    from unstructured.partition.docx import partition_docx  # noqa: PLC0415

    elements = converted(partition_docx(filename=str(path), languages=LANGUAGES), styled)
    title = str(docx.Document(str(path)).core_properties.title or "")
    return elements, " ".join(title.split()) or None


def _damage() -> tuple[type[Exception], ...]:
    """What python-docx raises on files that are not as they should be."""
    from docx.opc.exceptions import PackageNotFoundError  # noqa: PLC0415 — heavy
    from lxml.etree import LxmlError  # noqa: PLC0415

    return (
        PackageNotFoundError,
        LxmlError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        AttributeError,
        TypeError,
        EOFError,
    )


def _with_headings(elements: list[Element]) -> list[Element]:
    depths: list[int | None] = [
        heading_depth(element.text) if element.kind in (ElementKind.TEXT, ElementKind.LIST_ITEM) else None
        for element in elements
    ]
    if sum(depth is not None for depth in depths) > _MOST_HEADINGS * len(elements):
        return elements
    return demote_runs(
        [
            element if depth is None else Element(ElementKind.HEADING, element.text, element.page, depth)
            for element, depth in zip(elements, depths, strict=True)
        ]
    )
