"""`/v1/glossary`: what else words are called, everywhere or in a space."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.metadata import glossary
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.glossary import GlossaryChange, GlossaryEntryShown, NewGlossaryEntry
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.access import named_space
from services.library.glossary import add_entry, change_entry, delete_entry, written_entry, written_space

router = APIRouter(prefix="/v1/glossary", tags=["search"])

SpaceQuery = Annotated[str | None, Query(max_length=100, description="Only this space's (id or name).")]


@router.post(
    "",
    summary="Say what else a term is called",
    status_code=201,
    response_model=GlossaryEntryShown,
    responses=problems(403, 404, 409),
)
def add_glossary_entry(body: NewGlossaryEntry, write: WriteDep, caller: CallerDep) -> Response:
    """Searches count from then on. In a space: its managers and administrators; everywhere: administrators."""

    def work(connection: Connection) -> Done:
        made = add_entry(connection, caller, space=body.space, term=body.term, expansions=body.expansions)
        return Done(GlossaryEntryShown.of(made), status=201)

    return write.perform(work, before_replay=lambda connection, _: written_space(connection, caller, body.space))


@router.get("", summary="List the glossary", responses=problems(400, 404))
def list_glossary(
    page: PageDep, platform: PlatformDep, caller: CallerDep, space: SpaceQuery = None
) -> Page[GlossaryEntryShown]:
    """What holds everywhere and in the spaces that you see; oldest first."""
    with platform.database.snapshot() as connection:
        space_id = None if space is None else named_space(connection, caller, space).id
        rows = glossary.list_visible(connection, caller, space_id=space_id, after=page.after, limit=page.fetch)
    return page.page(rows, lambda row: row.id, GlossaryEntryShown.of)


@router.patch(
    "/{entry_id}",
    summary="Change a glossary entry",
    response_model=GlossaryEntryShown,
    responses=problems(403, 404, 409),
)
def change_glossary_entry(entry_id: str, body: GlossaryChange, write: WriteDep, caller: CallerDep) -> Response:
    """For those who may make it."""

    def work(connection: Connection) -> Done:
        changed = change_entry(connection, caller, entry_id, term=body.term, expansions=body.expansions)
        return Done(GlossaryEntryShown.of(changed))

    return write.perform(work, before_replay=lambda connection, _: written_entry(connection, caller, entry_id))


@router.delete("/{entry_id}", summary="Forget a glossary entry", status_code=204, responses=problems(403, 404))
def remove_glossary_entry(entry_id: str, write: WriteDep, caller: CallerDep) -> Response:
    """For those who may make it."""

    def work(connection: Connection) -> Done:
        delete_entry(connection, caller, entry_id)
        return Done(status=204)

    return write.perform(work, before_replay=None)
