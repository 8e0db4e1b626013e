"""`/v1/spaces`: folders of documents, and who may do what in them."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.metadata import retention, spaces
from kbcore.metadata.idempotency import Answer
from kbcore.metadata.policies import replace_policy
from kbcore.metadata.spaces import SpaceAccess
from kbcore.permissions.policy import Grant, Policy, Role
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.jobs import JobShown
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.schemas.spaces import NewSpace, PolicyBody, PolicyShown, SpaceChange, SpaceShown
from services.api.writes import Done, WriteDep
from services.library.access import managed_space, visible_space
from services.library.change_events import policy_changed
from services.library.job_control import visible_job
from services.library.share import policy_of, to_space_policy

router = APIRouter(prefix="/v1/spaces", tags=["spaces"])


@router.post("", summary="Add a space", status_code=201, response_model=SpaceShown, responses=problems(403, 409))
def add_space(body: NewSpace, write: WriteDep, caller: CallerDep) -> Response:
    """Its policy names nobody but you, as manager. Administrators only."""
    creator = Policy(allow=frozenset({Grant(f"user:{caller.user_id}", Role.MANAGER)}))

    def work(connection: Connection) -> Done:
        space = spaces.create_space(connection, name=body.name, title=body.title or body.name, policy=creator)
        event = policy_changed(caller, None, creator, space=space.id)
        return Done(SpaceShown.of(SpaceAccess(space, Role.MANAGER)), status=201, events=(event,))

    return write.perform(work, before_replay=None)


@router.get("", summary="List spaces", responses=problems(400))
def list_spaces(page: PageDep, platform: PlatformDep, caller: CallerDep) -> Page[SpaceShown]:
    """Those in which you have a role, oldest first; administrators see all."""
    with platform.database.begin() as connection:
        rows = spaces.list_spaces(connection, caller, everything=caller.is_admin, after=page.after, limit=page.fetch)
    return page.page(rows, lambda access: access.space.id, SpaceShown.of)


@router.get("/{space}", summary="Read a space", responses=problems(404))
def read_space(space: str, platform: PlatformDep, caller: CallerDep) -> SpaceShown:
    """By id or name."""
    with platform.database.begin() as connection:
        return SpaceShown.of(visible_space(connection, caller, space))


@router.patch("/{space}", summary="Change a space", response_model=SpaceShown, responses=problems(403, 404, 409))
def change_space(space: str, body: SpaceChange, write: WriteDep, caller: CallerDep) -> Response:
    """Name, title and retention. For its managers and administrators."""

    def work(connection: Connection) -> Done:
        access = managed_space(connection, caller, space)
        changed = spaces.update_space(connection, access.space.id, body.model_dump(exclude_unset=True))
        return Done(SpaceShown.of(SpaceAccess(changed, access.role)))

    return write.perform(
        work, before_replay=lambda connection, earlier: managed_space(connection, caller, _id_in(earlier, "id"))
    )


@router.delete("/{space}", summary="Remove an empty space", status_code=204, responses=problems(403, 404, 409))
def remove_space(space: str, write: WriteDep, caller: CallerDep) -> Response:
    """Only one that holds no document, deleted ones with their history included. Administrators only."""

    def work(connection: Connection) -> Done:
        removed = visible_space(connection, caller, space).space
        spaces.delete_space(connection, removed)
        return Done(status=204, events=(AuditEvent.by(caller, "space.removed", space=removed.id),))

    return write.perform(work, before_replay=None)


@router.post(
    "/{space}/purge",
    summary="Purge a space now",
    status_code=202,
    response_model=JobShown,
    responses=problems(403, 404),
)
def purge_space(space: str, write: WriteDep, caller: CallerDep) -> Response:
    """Removes what its retention no longer keeps, which also happens hourly. For its managers and administrators."""

    def work(connection: Connection) -> Done:
        access = managed_space(connection, caller, space)
        job_id = retention.order(connection, access.space.id, caller.user_id)
        return Done(JobShown.of(visible_job(connection, caller, job_id)), status=202, jobs=(job_id,))

    return write.perform(
        work, before_replay=lambda connection, earlier: managed_space(connection, caller, _id_in(earlier, "space_id"))
    )


@router.get("/{space}/policy", summary="Read a space's policy", responses=problems(403, 404))
def read_policy(space: str, platform: PlatformDep, caller: CallerDep) -> PolicyShown:
    """For its managers and administrators."""
    with platform.database.begin() as connection:
        access = managed_space(connection, caller, space)
        return PolicyShown.of(policy_of(connection, access.space.policy_id))


@router.put("/{space}/policy", summary="Set a space's policy", response_model=PolicyShown, responses=problems(403, 404))
def set_policy(space: str, body: PolicyBody, write: WriteDep, caller: CallerDep) -> Response:
    """Replaces it; the next request of anybody is judged by it. For its managers and administrators."""

    def work(connection: Connection) -> Done:
        access = managed_space(connection, caller, space)
        after = to_space_policy(connection, body.named())
        before = replace_policy(connection, access.space.policy_id, after)
        event = policy_changed(caller, before, after, space=access.space.id)
        return Done(PolicyShown.of(policy_of(connection, access.space.policy_id)), events=(event,))

    return write.perform(work, before_replay=lambda connection, _: managed_space(connection, caller, space))


def _id_in(earlier: Answer, field: str) -> str:
    """The space of a remembered answer; its name in the address may have changed since."""
    return str((earlier.body or {})[field])
