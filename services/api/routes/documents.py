"""`/v1/documents`: list, read, change and delete. Receiving is in `uploads`, history in `versions`."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.document import Document, VersionState
from kbcore.errors import NotFound
from kbcore.metadata import documents, versions
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.if_match import IfMatchDep, etag
from services.api.paging import PageDep
from services.api.schemas.documents import DocumentChange, DocumentChanged, DocumentShown
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.access import (
    editable_document,
    managed_document,
    named_space,
    once_readable,
    readable_document,
)
from services.library.change import change_document, delete_document
from services.library.share import own_policy_changed, own_policy_id, to_policy

router = APIRouter(prefix="/v1/documents", tags=["documents"])


@router.get("", summary="List documents", responses=problems(400, 404))
def list_documents(
    page: PageDep,
    platform: PlatformDep,
    caller: CallerDep,
    seen: SeenDep,
    space: Annotated[str | None, Query(description="Only of this space: id or name.")] = None,
    status: Annotated[VersionState | None, Query(description="Only with a latest version in this state.")] = None,
    q: Annotated[str | None, Query(max_length=200, description="A part of the title, in any case.")] = None,
    source: Annotated[str | None, Query(max_length=500, description="Only those kept in step with this.")] = None,
    external_id: Annotated[str | None, Query(max_length=500, description="Only with this id of yours.")] = None,
) -> Page[DocumentShown]:
    """Those that you may read, newest first."""
    with platform.database.snapshot() as connection:
        space_id = None if space is None else named_space(connection, caller, space).id
        rows = documents.list_readable(
            connection,
            caller.user_id,
            space_id=space_id,
            state=status,
            q=q,
            source=source,
            external_id=external_id,
            after=page.after,
            limit=page.fetch,
        )
        latest = versions.latest_of(connection, [row.id for row in rows])
    seen.shows(row.id for row in rows[: page.limit])
    return page.page(rows, lambda row: row.id, lambda row: DocumentShown.of(row, latest[row.id]))


@router.get("/{document_id}", summary="Read a document", responses=problems(404))
def read_document(document_id: str, platform: PlatformDep, caller: CallerDep, response: Response) -> DocumentShown:
    """Its present state; `ETag` is what `If-Match` compares with."""
    with platform.database.snapshot() as connection:
        document = readable_document(connection, caller, document_id)
        response.headers["ETag"] = etag(document.latest_version)
        return _shown(connection, document)


@router.patch(
    "/{document_id}",
    summary="Change a document",
    response_model=DocumentChanged,
    responses=problems(400, 403, 404, 409, 412),
)
def change(
    document_id: str, body: DocumentChange, write: WriteDep, caller: CallerDep, if_match: IfMatchDep
) -> Response:
    """Acts at once for every reader; its index rows follow in a job. Needs the role editor; for `policy`, manager.

    A change of title, tags, metadata or effective dates is a version in the history; where the latest version is still
    being ingested, that one is changed.
    """

    def work(connection: Connection) -> Done:
        document = editable_document(connection, caller, document_id, if_match=if_match)
        values = body.columns()
        if "policy" in body.model_fields_set:
            managed_document(connection, caller, document_id)
            policy = None if body.policy is None else to_policy(connection, body.policy.named())
            values["own_policy_id"] = own_policy_id(connection, policy, document)
        changed = change_document(connection, caller, document, values, comment=body.comment)
        shown = _shown(connection, _present(connection, document_id))
        job_id = changed.version.job_id if changed.version else next(iter(changed.jobs), None)
        events = own_policy_changed(connection, caller, document, values.get("own_policy_id", document.own_policy_id))
        return Done(DocumentChanged(**shown.model_dump(), job_id=job_id), jobs=changed.jobs, events=events)

    return write.perform(work, before_replay=lambda connection, _: readable_document(connection, caller, document_id))


@router.delete("/{document_id}", summary="Delete a document", status_code=204, responses=problems(400, 403, 404, 412))
def delete(document_id: str, write: WriteDep, caller: CallerDep, if_match: IfMatchDep) -> Response:
    """Gone from lists and answers at once; history is kept until purge. Needs the role editor."""

    def work(connection: Connection) -> Done:
        document = editable_document(connection, caller, document_id, if_match=if_match)
        return Done(status=204, jobs=(delete_document(connection, caller, document),))

    return write.perform(work, before_replay=lambda connection, _: once_readable(connection, caller, document_id))


def _present(connection: Connection, document_id: str) -> Document:
    document = documents.get(connection, document_id)
    if document is None:
        raise NotFound("document")
    return document


def _shown(connection: Connection, document: Document) -> DocumentShown:
    return DocumentShown.of(document, versions.latest_of(connection, [document.id])[document.id])
