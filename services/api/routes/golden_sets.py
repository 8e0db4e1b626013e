"""`/v1/golden-sets`: questions whose relevant documents are known."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.metadata import golden_sets
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.golden_sets import GoldenSetShown, GoldenSetWithQuestions, NewGoldenSet
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.evaluation.golden_sets import create_set, known_set

router = APIRouter(prefix="/v1/golden-sets", tags=["quality"])


@router.post(
    "",
    summary="Make a golden set",
    status_code=201,
    response_model=GoldenSetWithQuestions,
    responses=problems(403, 409),
)
def add_golden_set(body: NewGoldenSet, write: WriteDep, caller: CallerDep) -> Response:
    """Documents are resolved now; you and whoever asks the question must be able to read them. Administrators only."""
    limit = write.platform.settings.retrieval.max_query_chars

    def work(connection: Connection) -> Done:
        made = create_set(connection, caller, body.wanted(), max_query_chars=limit)
        return Done(GoldenSetWithQuestions.of(made), status=201)

    return write.perform(work, before_replay=None)


@router.get("", summary="List golden sets", responses=problems(400, 403))
def list_golden_sets(page: PageDep, platform: PlatformDep) -> Page[GoldenSetShown]:
    """Newest first, without their questions. Administrators only."""
    with platform.database.snapshot() as connection:
        rows = golden_sets.list_of(connection, after=page.after, limit=page.fetch)
    return page.page(rows, lambda row: row.id, GoldenSetShown.of)


@router.get("/{name}", summary="Read a golden set", responses=problems(403, 404))
def read_golden_set(name: str, platform: PlatformDep, _caller: CallerDep) -> GoldenSetWithQuestions:
    """By name or id. Administrators only."""
    with platform.database.snapshot() as connection:
        return GoldenSetWithQuestions.of(known_set(connection, name))


@router.delete("/{name}", summary="Remove a golden set", status_code=204, responses=problems(403, 404, 409))
def remove_golden_set(name: str, write: WriteDep) -> Response:
    """With its evaluations. Not while an index is to pass it. Administrators only."""

    def work(connection: Connection) -> Done:
        golden_sets.delete(connection, known_set(connection, name).id)
        return Done(status=204)

    return write.perform(work, before_replay=None)
