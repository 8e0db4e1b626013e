"""Footnotes and endnotes of Word documents, which `unstructured` leaves out."""

import zipfile
from collections.abc import Iterator

from lxml import etree

from kbcore.domain.chunk import Element, ElementKind

_PARTS = ("word/footnotes.xml", "word/endnotes.xml")
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def read_notes(archive: zipfile.ZipFile) -> list[Element]:
    """Each note as a text element, in the document's order; damaged parts give none."""
    names = set(archive.namelist())
    return [note for part in _PARTS if part in names for note in _notes(archive, part)]


def _notes(archive: zipfile.ZipFile, part: str) -> Iterator[Element]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(archive.read(part), parser)
    except (etree.LxmlError, zipfile.BadZipFile, EOFError):
        return
    for note in root if root is not None else ():
        if note.get(f"{_W}type") in (None, "normal"):
            text = "".join(piece.text or "" for piece in note.iter(f"{_W}t")).strip()
            if text:
                yield Element(ElementKind.TEXT, text)
