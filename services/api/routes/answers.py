"""`/v1/documents/{id}/answers`: which answers rest on a document, and which of them a change has made stale."""

from typing import Annotated

from fastapi import APIRouter, Query

from kbcore.domain.conversation import BuiltAnswer, SourceStatus
from kbcore.errors import RequestError
from kbcore.metadata.answers import answers_of
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.answers import BuiltAnswerShown
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.library.access import accountable_for_document

router = APIRouter(prefix="/v1/documents/{document_id}/answers", tags=["documents"])


@router.get("", summary="List the answers that cite a document", responses=problems(400, 403, 404))
def list_answers(
    document_id: str,
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    status: Annotated[SourceStatus | None, Query(description="Only those whose source has become so.")] = None,
) -> Page[BuiltAnswerShown]:
    """Newest first, without their text. For its managers and administrators; for these also once it is deleted."""
    with platform.database.snapshot() as connection:
        accountable_for_document(connection, caller, document_id)
        after = None if page.after is None else _position(page.after)
        rows = answers_of(connection, document_id, status=status, after=after, limit=page.fetch)
    return page.page(rows, _cursor, BuiltAnswerShown.of)


def _cursor(answer: BuiltAnswer) -> str:
    return f"{answer.turn_id}/{answer.version}"


def _position(cursor: str) -> tuple[str, int]:
    turn_id, _, version = cursor.partition("/")
    if not version.isdecimal() or len(version) > 9:
        raise RequestError("The cursor is not one that a list has given out.", code="invalid_cursor")
    return turn_id, int(version)
