"""What `unstructured` leaves out of Word documents: text boxes, shapes, footnotes and endnotes."""

import zipfile
from collections.abc import Iterator

from lxml import etree

from kbcore.domain.chunk import Element, ElementKind

_BODY = "word/document.xml"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def read_boxes_and_notes(archive: zipfile.ZipFile) -> list[Element]:
    """Each paragraph of a box and each note as a text element, in the document's order; damaged parts give none."""
    names = set(archive.namelist())
    boxes = _boxes(_parsed(archive, _BODY)) if _BODY in names else iter(())
    notes = [note for part in _NOTES if part in names for note in _notes(_parsed(archive, part))]
    return [*boxes, *notes]


def _parsed(archive: zipfile.ZipFile, part: str) -> etree._Element | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        return etree.fromstring(archive.read(part), parser)
    except (etree.LxmlError, zipfile.BadZipFile, EOFError):
        return None


def _boxes(root: etree._Element | None) -> Iterator[Element]:
    """Word writes each box twice, the second time for old versions: that one is passed over."""
    for box in root.iter(f"{_W}txbxContent") if root is not None else ():
        if next(box.iterancestors(_FALLBACK), None) is not None:
            continue
        for paragraph in box.iter(f"{_W}p"):
            yield from _text(paragraph)


def _notes(root: etree._Element | None) -> Iterator[Element]:
    for note in root if root is not None else ():
        if note.get(f"{_W}type") in (None, "normal"):
            yield from _text(note)


def _text(node: etree._Element) -> Iterator[Element]:
    text = "".join(piece.text or "" for piece in node.iter(f"{_W}t")).strip()
    if text:
        yield Element(ElementKind.TEXT, text)
