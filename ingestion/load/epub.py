"""EPUB books: the chapters in the order of the spine, each an HTML file inside the container."""

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from ingestion.load.archive import open_archive
from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.web_page import read_html
from kbcore.domain.chunk import Element, Loaded
from kbcore.domain.media_types import EPUB
from kbcore.errors import ItemFailed

_CONTAINER = "META-INF/container.xml"
_RIGHTS = "META-INF/encryption.xml"
_FONT_OBFUSCATION = b"obfuscation"


def load(path: Path, limits: Limits) -> Loaded:
    """An .epub file."""
    with open_archive(path, limits.max_expansion) as archive:
        names = set(archive.namelist())
        if _RIGHTS in names and _FONT_OBFUSCATION not in archive.read(_RIGHTS):
            raise ItemFailed("encrypted", "The book is protected (DRM). Upload an unprotected copy.")
        try:
            package_path = _parsed(archive, _CONTAINER).xpath("string(//*[local-name()='rootfile']/@full-path)")
            package = _parsed(archive, package_path)
        except (KeyError, etree.LxmlError, zipfile.BadZipFile, EOFError) as error:
            raise ItemFailed("broken_file", f"The book has no readable index ({type(error).__name__}).") from None
        title = " ".join(package.xpath("string(//*[local-name()='metadata']/*[local-name()='title'])").split())
        chapters = [name for name in _spine(package, posixpath.dirname(package_path)) if name in names]
        if len(chapters) > limits.max_pages:
            raise ItemFailed("too_many_pages", f"{len(chapters):,} chapters, more than {limits.max_pages:,}.")
        elements = tuple(element for chapter in chapters for element in _chapter(archive, chapter))
    return Loaded(elements, EPUB, title=title or None)


def _parsed(archive: zipfile.ZipFile, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(archive.read(name), parser)
    if root is None:
        raise KeyError(name)
    return root


def _spine(package: etree._Element, folder: str) -> Iterator[str]:
    items = {item.get("id"): item.get("href") for item in package.xpath("//*[local-name()='manifest']/*")}
    for reference in package.xpath("//*[local-name()='spine']/*/@idref"):
        if items.get(reference):
            yield posixpath.normpath(posixpath.join(folder, unquote(items[reference])))


def _chapter(archive: zipfile.ZipFile, name: str) -> tuple[Element, ...]:
    elements, _ = read_html(decode(archive.read(name)))
    return elements
