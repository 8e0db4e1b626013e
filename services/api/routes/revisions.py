"""`POST /v1/documents/{id}/rollback`, `PUT …/text`, `POST …/reparse`: versions made from versions."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.document import Document
from kbcore.domain.principal import Caller
from services.api.dependencies import CallerDep, PlatformDep
from services.api.if_match import IfMatchDep
from services.api.json_body import parse_json
from services.api.schemas.documents import UploadAccepted
from services.api.schemas.problem import problems
from services.api.schemas.revisions import EditedText, Reparse, RollBack
from services.api.writes import Done, IdempotencyKey, Write, WriteDep, identified
from services.library.access import editable_document, readable_document
from services.library.derive import Accepted
from services.library.revise import edit_text, reparse, roll_back

router = APIRouter(prefix="/v1/documents/{document_id}", tags=["documents"])

_UNCHANGED = {"model": UploadAccepted, "description": "The latest version is this already."}


@router.post(
    "/rollback",
    summary="Go back to an older version",
    status_code=202,
    response_model=UploadAccepted,
    responses={200: _UNCHANGED, **problems(400, 403, 404, 409, 412)},
)
def go_back(document_id: str, body: RollBack, write: WriteDep, caller: CallerDep, if_match: IfMatchDep) -> Response:
    """A new version equal to that one: bytes, text, title, tags, metadata, effective dates. Needs the role editor.

    It ends every other version, and nothing is parsed or embedded again.
    """
    return _revise(
        write,
        document_id,
        if_match,
        lambda connection, document: roll_back(connection, caller, document, body.to, body.comment),
    )


@router.put(
    "/text",
    summary="Correct the stored text",
    status_code=202,
    response_model=UploadAccepted,
    responses={200: _UNCHANGED, **problems(400, 403, 404, 409, 412, 413)},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": EditedText.model_json_schema()}}}
    },
)
async def correct_text(
    request: Request,
    document_id: str,
    platform: PlatformDep,
    caller: CallerDep,
    if_match: IfMatchDep,
    key: IdempotencyKey = None,
) -> Response:
    """A new version with this text and the same original bytes. Needs the role editor.

    Headings, tables and pages are carried over from the version that was edited. A later `reparse` keeps the edits.
    """
    await run_in_threadpool(_require_editor, platform, caller, document_id)  # before the body is read: it may be large
    sent = await request.body()

    def correct() -> Response:
        body = parse_json(request, sent, EditedText)
        return _revise(
            identified(request, platform, caller, key, sent),
            document_id,
            if_match,
            lambda connection, document: edit_text(connection, caller, document, body.text, body.comment),
        )

    return await run_in_threadpool(correct)


@router.post(
    "/reparse",
    summary="Read the original bytes again",
    status_code=202,
    response_model=UploadAccepted,
    responses=problems(400, 403, 404, 409, 412),
)
def read_again(
    document_id: str,
    write: WriteDep,
    caller: CallerDep,
    if_match: IfMatchDep,
    body: Reparse | None = None,
) -> Response:
    """A new version from the same bytes, as today's loaders read them. Needs the role editor.

    Edits of the text are laid over it; where both changed the same lines, the new version fails with `edit_conflict`
    and the document stays as it is. If nothing reads differently, it is skipped as `unchanged`.
    """
    return _revise(
        write,
        document_id,
        if_match,
        lambda connection, document: reparse(connection, caller, document, body.comment if body else None),
    )


def _require_editor(platform: Platform, caller: Caller, document_id: str) -> None:
    with platform.database.begin() as connection:
        editable_document(connection, caller, document_id)


def _revise(
    write: Write, document_id: str, if_match: int | None, revision: Callable[[Connection, Document], Accepted]
) -> Response:
    def work(connection: Connection) -> Done:
        document = editable_document(connection, write.caller, document_id, if_match=if_match)
        accepted = revision(connection, document)
        status = 200 if accepted.unchanged else 202
        return Done(UploadAccepted.of(accepted), status=status, jobs=accepted.to_send)

    return write.perform(
        work, before_replay=lambda connection, _: readable_document(connection, write.caller, document_id)
    )
