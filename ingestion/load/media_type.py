"""Which kind of file is this? Content decides; the name decides between kinds of plain text, which look alike."""

import re
import zipfile
from pathlib import Path, PurePath

from ingestion.load.archive import open_archive
from kbcore.domain import media_types as known
from kbcore.errors import ItemFailed, ItemSkipped

_HEAD = 4096
_PDF_HEADER_WITHIN = 1024
_DEFAULT_EXPANSION = 200
_TEXTS = (known.TEXT, known.MARKDOWN, known.HTML, known.CSV, known.TSV, known.JSON, known.JSON_LINES, known.EML)
# A comment ends at its first `-->` for good (an atomic group): else a row of comments is divided in 2^n ways.
_HTML = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_MAIL = re.compile(rb"^(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}", re.MULTILINE)
_MAIL_FIELD = re.compile(
    rb"^(?:from|subject|mime-version|message-id|received|return-path):", re.IGNORECASE | re.MULTILINE
)
_OFFICE_PARTS = {
    "wordprocessingml": known.DOCX,
    "ms-word.document": known.DOCX,
    "ms-word.template": known.DOCX,
    "spreadsheetml": known.XLSX,
    "ms-excel.sheet.macro": known.XLSX,
    "ms-excel.template": known.XLSX,
    "presentationml": known.PPTX,
    "ms-powerpoint": known.PPTX,
}
_MAIN_PART = re.compile(rb'ContentType="([^"]+\.main\+xml)"')
_SIGNATURES = (
    (b"{\\rtf", "an RTF file; save it as .docx"),
    (b"\x89PNG", "an image (OCR is not enabled)"),
    (b"\xff\xd8\xff", "an image (OCR is not enabled)"),
    (b"GIF8", "an image (OCR is not enabled)"),
    (b"II*\0", "an image (OCR is not enabled)"),
    (b"MM\0*", "an image (OCR is not enabled)"),
    (b"BM", "an image (OCR is not enabled)"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"Rar!", "an archive; upload the files in it"),
    (b"7z\xbc\xaf", "an archive; upload the files in it"),
    (b"\x1f\x8b", "an archive; upload the files in it"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def detect(path: Path, file_name: str, max_expansion: int = _DEFAULT_EXPANSION) -> str:
    """The media type, one of `SUPPORTED`.

    A signature wins over the name: a PDF called `report.txt` is a PDF. Plain text has no signature, so among texts
    the extension decides, and a text called `report.pdf` is a broken PDF.
    Raises `ItemSkipped` (empty_file, unsupported_media_type) or `ItemFailed` (broken_file, encrypted, …).
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise ItemSkipped("empty_file", "The file is empty (0 bytes).")
    extension = PurePath(file_name).suffix.lower()
    by_name = known.BY_EXTENSION.get(extension)
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN] and by_name not in _TEXTS[1:]:
        return known.PDF
    if head.startswith(b"PK\x03\x04"):
        return _in_container(path, max_expansion)
    if head.startswith(_OLE):
        return _in_compound_file(path)
    for signature, what in _SIGNATURES:
        if head.startswith(signature) and not (signature.isalpha() and by_name in _TEXTS):
            raise _unsupported(what)
    return _text_type(head, by_name, file_name)


def _text_type(head: bytes, by_name: str | None, file_name: str) -> str:
    if by_name in (None, known.TEXT) and _is_mail(head):
        return known.EML
    if _HTML.match(head) and by_name not in (known.MARKDOWN, known.EML):
        return known.HTML
    if by_name is None and not PurePath(file_name).suffix and b"\0" not in head:
        return known.TEXT
    if by_name is None:
        raise _unsupported("of an unknown type")
    if by_name not in _TEXTS:
        raise ItemFailed(
            "broken_file",
            f"The content is not what the extension {PurePath(file_name).suffix} promises. If it is a text, rename it "
            "to .txt; otherwise export the document again.",
        )
    return by_name


def _is_mail(head: bytes) -> bool:
    fields = _MAIL.match(head.replace(b"\r\n", b"\n"))
    return fields is not None and len(_MAIL_FIELD.findall(fields.group())) >= 3


def _in_container(path: Path, max_expansion: int) -> str:
    with open_archive(path, max_expansion) as archive:
        names = set(archive.namelist())
        try:
            if "mimetype" in names:
                declared = archive.read("mimetype")[:100].decode("ascii", "replace").strip()
                if declared in known.SUPPORTED:
                    return declared
                raise _unsupported(f"declared as {declared}")
            main = _MAIN_PART.search(archive.read("[Content_Types].xml")) if "[Content_Types].xml" in names else None
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise ItemFailed("broken_file", f"The container is damaged ({error}). Save the document again.") from None
    if main:
        part = main.group(1).decode("ascii", "replace").lower()
        for word, media_type in _OFFICE_PARTS.items():
            if word in part:
                return media_type
    for folder, media_type in (("word/document.xml", known.DOCX), ("ppt/presentation.xml", known.PPTX)):
        if folder in names:
            return media_type
    if "xl/workbook.xml" in names:
        return known.XLSX
    if any(name.startswith("xl/") for name in names):
        raise _unsupported("a binary workbook; save it as .xlsx")
    raise _unsupported("an archive; upload the files in it")


def _in_compound_file(path: Path) -> str:
    """Files of the old Office kind: Outlook messages are read, encrypted new documents are recognised."""
    import olefile  # noqa: PLC0415 — only here

    try:
        with olefile.OleFileIO(path) as compound:
            streams = {entry[0] for entry in compound.listdir(streams=True, storages=True)}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ItemFailed("broken_file", f"The file is damaged ({error}). Save the document again.") from None
    if "EncryptedPackage" in streams:
        raise ItemFailed("encrypted", "The file is password-protected. Remove the password and upload it again.")
    if any(stream.startswith("__properties_version") for stream in streams):
        return known.MSG
    for stream, extension in (("WordDocument", ".docx"), ("PowerPoint Document", ".pptx"), ("Workbook", ".xlsx")):
        if stream in streams or (stream == "Workbook" and "Book" in streams):
            raise _unsupported(f"an Office file of the kind before 2007; save it as {extension}")
    raise _unsupported("of an unknown type")


def _unsupported(what: str) -> ItemSkipped:
    """Without the file's name, which may be as telling as the document."""
    return ItemSkipped(
        "unsupported_media_type",
        f"The file is {what}. Files that can be read: {known.supported_extensions()}.",
    )
