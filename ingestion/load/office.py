"""Open Office files that python-docx and python-pptx would refuse for formal reasons: rewrite what they stumble over.

Macro-enabled files and templates differ from documents by one word in the list of parts; "Strict Open XML" documents
by their namespaces. Macros are never read.
"""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
_TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
_WORD_MAIN = re.compile(
    rb"application/vnd\.(?:ms-word\.(?:document\.macroEnabled|template\.macroEnabledTemplate)"
    rb"|openxmlformats-officedocument\.wordprocessingml\.template)\.main\+xml"
)
_WORD = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_SLIDES_MAIN = re.compile(
    rb"application/vnd\.(?:ms-powerpoint\.(?:presentation|template|slideshow)\.macroEnabled"
    rb"|openxmlformats-officedocument\.presentationml\.(?:template|slideshow))\.main\+xml"
)
_SLIDES = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_CONTENT_TYPES = "[Content_Types].xml"
_RELATIONS = "_rels/.rels"
_XML = (".xml", ".rels")


@contextmanager
def ordinary_copy(archive: zipfile.ZipFile, path: Path) -> Iterator[Path]:
    """`path` itself if it is an ordinary document, else a rewritten copy that is removed afterwards."""
    types = archive.read(_CONTENT_TYPES) if _CONTENT_TYPES in archive.namelist() else b""
    strict = _RELATIONS in archive.namelist() and _STRICT.search(archive.read(_RELATIONS))
    if not strict and not _WORD_MAIN.search(types) and not _SLIDES_MAIN.search(types):
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=path.suffix) as copy:
        with zipfile.ZipFile(copy, "w") as target:
            for member in archive.infolist():
                target.writestr(member.filename, _rewritten(member.filename, archive.read(member)))
        copy.flush()
        yield Path(copy.name)


def _rewritten(name: str, data: bytes) -> bytes:
    if name == _CONTENT_TYPES:
        data = _SLIDES_MAIN.sub(_SLIDES, _WORD_MAIN.sub(_WORD, data))
    return _STRICT.sub(_TRANSITIONAL, data) if name.endswith(_XML) else data
