"""`/v1/snapshots`: names for the present state of a space or of everything."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.metadata import snapshots
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.schemas.snapshots import NewSnapshot, SnapshotShown
from services.api.writes import Done, WriteDep
from services.library.snapshots import delete_snapshot, take_snapshot, taken_space, visible_snapshot

router = APIRouter(prefix="/v1/snapshots", tags=["documents"])


@router.post(
    "",
    summary="Name the present state",
    status_code=201,
    response_model=SnapshotShown,
    responses=problems(403, 404, 409),
)
def add_snapshot(body: NewSnapshot, write: WriteDep, caller: CallerDep) -> Response:
    """Search it later with `as_of`. Of a space: its managers and administrators; of everything: administrators."""

    def work(connection: Connection) -> Done:
        made = take_snapshot(connection, caller, name=body.name, space=body.space, comment=body.comment)
        return Done(SnapshotShown.of(made), status=201)

    return write.perform(work, before_replay=lambda connection, _: taken_space(connection, caller, body.space))


@router.get("", summary="List snapshots", responses=problems(400))
def list_snapshots(page: PageDep, platform: PlatformDep, caller: CallerDep) -> Page[SnapshotShown]:
    """Those of everything, and of the spaces that you see; newest first."""
    with platform.database.snapshot() as connection:
        rows = snapshots.list_visible(connection, caller, after=page.after, limit=page.fetch)
    return page.page(rows, lambda row: row.id, SnapshotShown.of)


@router.get("/{name}", summary="Read a snapshot", responses=problems(404))
def read_snapshot(name: str, platform: PlatformDep, caller: CallerDep) -> SnapshotShown:
    """By its name."""
    with platform.database.snapshot() as connection:
        return SnapshotShown.of(visible_snapshot(connection, caller, name))


@router.delete("/{name}", summary="Forget a snapshot", status_code=204, responses=problems(403, 404))
def remove_snapshot(name: str, write: WriteDep, caller: CallerDep) -> Response:
    """Only the name goes. For those who may make it."""

    def work(connection: Connection) -> Done:
        delete_snapshot(connection, caller, name)
        return Done(status=204)

    return write.perform(work, before_replay=None)
