"""The kinds of files that Zhiku reads, and the one place that says so."""

from collections.abc import Mapping
from types import MappingProxyType

TEXT = "text/plain"
MARKDOWN = "text/markdown"
HTML = "text/html"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
EPUB = "application/epub+zip"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"

SUPPORTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        TEXT: (".txt", ".text", ".log", ".rst", ".adoc", ".asciidoc", ".org"),
        MARKDOWN: (".md", ".markdown"),
        HTML: (".html", ".htm", ".xhtml"),
        CSV: (".csv",),
        TSV: (".tsv", ".tab"),
        JSON: (".json",),
        JSON_LINES: (".jsonl", ".ndjson"),
        PDF: (".pdf",),
        DOCX: (".docx", ".docm", ".dotx", ".dotm"),
        PPTX: (".pptx", ".pptm", ".potx", ".potm", ".ppsx"),
        XLSX: (".xlsx", ".xlsm", ".xltx", ".xltm"),
        ODT: (".odt",),
        EPUB: (".epub",),
        EML: (".eml",),
        MSG: (".msg",),
    }
)
"""Media type → file name extensions (lower case, with the dot; the first one is the usual one)."""

BY_EXTENSION: Mapping[str, str] = MappingProxyType(
    {extension: media_type for media_type, extensions in SUPPORTED.items() for extension in extensions}
)


def supported_extensions() -> str:
    """The readable extensions as one line for people: `.txt .md …`."""
    return " ".join(extensions[0] for extensions in SUPPORTED.values())
