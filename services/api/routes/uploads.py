"""`POST /v1/documents` and `PUT /v1/documents/{id}/content`: receiving files."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata import versions
from kbcore.metadata.idempotency import Answer
from services.api.audited import SeenRequest
from services.api.dependencies import CallerDep, PlatformDep
from services.api.if_match import IfMatchDep
from services.api.schemas.documents import ContentFields, UploadAccepted, UploadFields
from services.api.schemas.names import Comment
from services.api.schemas.problem import problems
from services.api.uploads import (
    ReceivedFile,
    ReceivedForm,
    invalid_field,
    received_file,
    received_form,
    request_hash,
    require_stored,
    store,
)
from services.api.writes import Done, IdempotencyKey, Write
from services.library import upload
from services.library.access import editable_document, readable_document, writable_space
from services.library.derive import Accepted

router = APIRouter(prefix="/v1/documents", tags=["documents"])

_FILE = {"type": "string", "format": "binary", "description": "The document; its file name is kept."}
_REPEATABLE = {"tags"}

Fields = TypeVar("Fields", bound=BaseModel)


def _form_schema() -> dict[str, Any]:
    schema = UploadFields.model_json_schema()
    return {
        "type": "object",
        "required": ["file", *schema["required"]],
        "properties": {"file": _FILE, **schema["properties"]},
    }


@router.post(
    "",
    summary="Upload a document",
    status_code=202,
    response_model=UploadAccepted,
    responses={
        200: {"model": UploadAccepted, "description": "The latest version has these bytes already."},
        **problems(400, 403, 404, 409, 413, 415),
    },
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _form_schema()}}}},
)
async def upload_document(
    request: Request, platform: PlatformDep, caller: CallerDep, key: IdempotencyKey = None
) -> Response:
    """Stores the bytes and queues the rest. Needs the role editor in the space.

    The same `external_id` in the same space is a new version of that document. What the file really is, is found out
    from its content while it is ingested; a file that cannot be indexed ends in the ledger with the reason.
    """
    async with received_form(request) as form:
        return await run_in_threadpool(_upload, request, platform, caller, key, form)


@router.put(
    "/{document_id}/content",
    summary="Upload a new version",
    status_code=202,
    response_model=UploadAccepted,
    responses={
        200: {"model": UploadAccepted, "description": "The latest version has these bytes already."},
        **problems(400, 403, 404, 412, 413),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": _FILE, "comment": {"type": "string", "maxLength": 2000}},
                    }
                },
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def replace_content(
    request: Request,
    document_id: str,
    platform: PlatformDep,
    caller: CallerDep,
    if_match: IfMatchDep,
    key: IdempotencyKey = None,
    comment: Annotated[Comment | None, Query(description="Why: shown in the history. A form's field does too.")] = None,
) -> Response:
    """Readers see the old version until the new one is indexed. Needs the role editor.

    The file is a form's part named `file`, or the whole body, which then keeps the file name of the version before.
    """
    async with received_file(request) as form:
        said = _said_of_content(form.fields, comment)
        return await run_in_threadpool(_replace, request, platform, caller, key, document_id, if_match, form.file, said)


def _upload(request: Request, platform: Platform, caller: Caller, key: str | None, form: ReceivedForm) -> Response:
    fields = _validated(form.fields, UploadFields)
    with platform.database.begin() as connection:
        writable_space(connection, caller, fields.space)  # before any byte is kept
    stored = store(platform, form.file, form.file.name or "")

    def work(connection: Connection) -> Done:
        accepted = upload.accept(connection, caller, fields.upload(), stored)
        require_stored(platform, stored)
        return _done(accepted)

    return Write(platform, caller, key, request_hash(request, stored, form.fields), SeenRequest(request)).perform(
        work, before_replay=lambda connection, earlier: _readable_still(connection, caller, earlier)
    )


def _replace(
    request: Request,
    platform: Platform,
    caller: Caller,
    key: str | None,
    document_id: str,
    if_match: int | None,
    file: ReceivedFile,
    said: ContentFields,
) -> Response:
    with platform.database.begin() as connection:
        document = editable_document(connection, caller, document_id, if_match=if_match)
        before = versions.get(connection, document.id, document.latest_version)
    stored = store(platform, file, file.name or (before.file_name if before else document.title))

    def work(connection: Connection) -> Done:
        held = editable_document(connection, caller, document_id, if_match=if_match)
        accepted = upload.add_version(connection, caller, held, stored, comment=said.comment)
        require_stored(platform, stored)
        return _done(accepted)

    return Write(
        platform, caller, key, request_hash(request, stored, said.comment or []), SeenRequest(request)
    ).perform(work, before_replay=lambda connection, earlier: _readable_still(connection, caller, earlier))


def _readable_still(connection: Connection, caller: Caller, earlier: Answer) -> None:
    """An administrator uploads to spaces that it does not read, and sees ids there in the list of jobs."""
    if not caller.is_admin:
        readable_document(connection, caller, UploadAccepted.model_validate(earlier.body).document_id)


def _done(accepted: Accepted) -> Done:
    status = 200 if accepted.unchanged else 202
    return Done(UploadAccepted.of(accepted), status=status, jobs=accepted.to_send)


def _said_of_content(fields: dict[str, list[str]], comment: str | None) -> ContentFields:
    if comment is not None:
        return ContentFields(comment=comment)
    return _validated({name: values for name, values in fields.items() if name == "comment"}, ContentFields)


def _validated(fields: dict[str, list[str]], model: type[Fields]) -> Fields:
    for name, values in fields.items():
        if len(values) > 1 and name not in _REPEATABLE:
            raise invalid_field(name, "Send it once")
    # An empty field of a form means: not filled in.
    sent = {name: values if name in _REPEATABLE else values[0] for name, values in fields.items() if any(values)}
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in details]) from None
