"""OpenDocument texts (odt), read directly: unstructured would need pandoc, a 150 MB program run on hostile input."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingestion.load.archive import open_archive
from ingestion.load.limits import Limits
from ingestion.load.table import table_text
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import ODT
from kbcore.errors import ItemFailed

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_UNREAD = (f"{_OFFICE}annotation", f"{_TEXT}tracked-changes", f"{_TEXT}note-citation")
_MOST_REPEATED = 1000


def load(path: Path, limits: Limits) -> Loaded:
    """An .odt file."""
    with open_archive(path, limits.max_expansion) as archive:
        content = _part(archive, "content.xml")
        meta = _part(archive, "meta.xml")
    if content is None:
        raise ItemFailed("broken_file", "The document has no readable content. Save it again.")
    body = content.find(f".//{_OFFICE}text")
    if body is None and b"encrypted" in etree.tostring(content)[:1000]:
        raise ItemFailed("encrypted", "The file is password-protected. Remove the password and upload it again.")
    title = " ".join((meta.findtext(f".//{_TITLE}") or "").split()) if meta is not None else ""
    return Loaded(tuple(_elements(body)) if body is not None else (), ODT, title=title or None)


def _part(archive: zipfile.ZipFile, name: str) -> etree._Element | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(archive.read(name), parser)
    except (KeyError, etree.LxmlError, zipfile.BadZipFile, EOFError):
        return None


def _elements(parent: etree._Element, *, in_list: bool = False) -> Iterator[Element]:
    for node in parent:
        if node.tag == f"{_TEXT}h":
            level = node.get(f"{_TEXT}outline-level", "1")
            yield Element(ElementKind.HEADING, _text(node), depth=int(level) if level.isdecimal() else 1)
        elif node.tag == f"{_TEXT}p":
            text = _text(node)
            if text.strip():
                yield Element(ElementKind.LIST_ITEM, f"- {text}") if in_list else Element(ElementKind.TEXT, text)
        elif node.tag == f"{_TABLE}table":
            yield Element(ElementKind.TABLE, table_text(_rows(node)))
        elif isinstance(node.tag, str) and node.tag not in _UNREAD:
            yield from _elements(node, in_list=in_list or node.tag == f"{_TEXT}list")


def _rows(table: etree._Element) -> Iterator[list[str]]:
    for row in table.iter(f"{_TABLE}table-row"):
        cells: list[str] = []
        for cell in row.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            repeated = cell.get(f"{_TABLE}number-columns-repeated", "1")
            text = " ".join(_text(part) for part in cell.iter(f"{_TEXT}p", f"{_TEXT}h"))
            cells += [text] * min(int(repeated) if repeated.isdecimal() else 1, _MOST_REPEATED)
        yield cells


def _text(node: etree._Element) -> str:
    """The text of a paragraph; spaces, tabs and line breaks are elements of their own in this format."""
    parts = [node.text or ""]
    for child in node:
        if child.tag == f"{_TEXT}s":
            parts.append(" ")
        elif child.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            parts.append("\n" if child.tag.endswith("break") else " ")
        elif isinstance(child.tag, str) and child.tag not in _UNREAD:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
