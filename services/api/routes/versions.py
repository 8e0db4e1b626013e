"""`/v1/documents/{id}/versions`: history, original bytes, stored text, and what was indexed."""

from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import Connection

from kbcore.domain import media_types
from kbcore.domain.document import Version
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound, Unavailable
from kbcore.metadata import chunks, generations, page_ledger, versions
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import single_page
from services.api.schemas.diff import DiffShown
from services.api.schemas.documents import ChunkShown, VersionShown, VersionWithText
from services.api.schemas.ledger import VersionLedger
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.library.access import readable_document
from services.library.diff import diff
from services.library.revise import existing_version, text_of

router = APIRouter(prefix="/v1/documents/{document_id}/versions", tags=["documents"])

_BYTES = "application/octet-stream"
_INERT = frozenset(
    {
        media_types.PDF,
        media_types.DOCX,
        media_types.PPTX,
        media_types.XLSX,
        media_types.ODT,
        media_types.EPUB,
        media_types.TEXT,
    }
)
"""Served as what they are; everything else (HTML above all) as bytes, so that no browser runs it as ours."""


@router.get("", summary="List a document's versions", responses=problems(404))
def list_versions(document_id: str, platform: PlatformDep, caller: CallerDep) -> Page[VersionShown]:
    """Newest first, all of them."""
    with platform.database.snapshot() as connection:
        document = readable_document(connection, caller, document_id)
        rows = versions.list_of(connection, document.id)
        published = versions.published_at(connection, document.id)
    return single_page(
        rows, lambda row: VersionShown.of(row, current=document.version, published_at=published.get(row.number))
    )


@router.get("/{number}", summary="Read a version", responses=problems(404))
def read_version(document_id: str, number: int, platform: PlatformDep, caller: CallerDep) -> VersionWithText:
    """With its stored text, which citations and chunks are offsets into."""
    with platform.database.snapshot() as connection:
        document = readable_document(connection, caller, document_id)
        version = existing_version(connection, document.id, number)
        stored = versions.stored_text(connection, document.id, number)
        published = versions.published_at(connection, document.id).get(number)
    shown = VersionShown.of(version, current=document.version, published_at=published)
    return VersionWithText(**shown.model_dump(), text=None if stored is None else stored.text)


@router.get("/{number}/diff/{other}", summary="Compare two versions", responses=problems(404, 409))
def compare(document_id: str, number: int, other: int, platform: PlatformDep, caller: CallerDep) -> DiffShown:
    """What was added, removed, changed or moved from the first to the second, passage by passage.

    A passage is a heading, a paragraph, a list item, a table or a listing of the stored text.
    """
    with platform.database.snapshot() as connection:
        document = readable_document(connection, caller, document_id)
        before, after = (text_of(connection, document.id, each) for each in (number, other))
    return DiffShown.between(number, other, diff(before, after))


@router.get(
    "/{number}/content",
    summary="Download a version",
    response_class=Response,
    responses={
        200: {"content": {kind: {} for kind in sorted({_BYTES, *_INERT})}, "description": "Original bytes."},
        **problems(404),
    },
)
def read_content(document_id: str, number: int, platform: PlatformDep, caller: CallerDep) -> Response:
    """The original bytes, as an attachment; never as something that a browser would run. 404 once they are purged."""
    with platform.database.snapshot() as connection:
        version = _readable_version(connection, caller, document_id, number)
    if not version.sha256:
        raise NotFound("content")  # purged
    media_type = version.media_type if version.media_type in _INERT else _BYTES
    return StreamingResponse(
        _opened(platform.blobs.open(version.sha256)),
        headers={
            "Content-Type": media_type,  # as a header, for the framework would claim that every text is UTF-8
            "Content-Length": str(version.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(version.file_name, safe='')}",
            "ETag": f'"{version.sha256}"',
        },
    )


@router.get("/{number}/chunks", summary="What was indexed of a version", responses=problems(404))
def list_chunks(document_id: str, number: int, platform: PlatformDep, caller: CallerDep) -> Page[ChunkShown]:
    """Its passages in reading order, in the live index; none before it is indexed."""
    with platform.database.snapshot() as connection:
        version = _readable_version(connection, caller, document_id, number)
        live = generations.live(connection)
        placed = [] if live is None else chunks.of_version(connection, live.id, version.document_id, version.number)
    return single_page(placed, ChunkShown.of)


@router.get("/{number}/ledger", summary="What became of a version's pages", responses=problems(404))
def read_pages(document_id: str, number: int, platform: PlatformDep, caller: CallerDep) -> VersionLedger:
    """Page by page: what parsing found, what is in the index, and what was left out, with why."""
    with platform.database.snapshot() as connection:
        version = _readable_version(connection, caller, document_id, number)
        live = generations.live(connection)
        found = page_ledger.pages_of(connection, None if live is None else live.id, version.document_id, version.number)
    return VersionLedger.of(version, found)


def _readable_version(connection: Connection, caller: Caller, document_id: str, number: int) -> Version:
    document = readable_document(connection, caller, document_id)
    return existing_version(connection, document.id, number)


def _opened(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, the first one read already: a missing blob is an error before the answer has begun."""
    try:
        first = next(parts, b"")
    except NotFound:
        raise Unavailable("The original bytes are missing from the blob store.") from None
    return chain([first], parts)
