"""`/v1/users`: people and service accounts, managed by administrators."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.principal import UserKind
from kbcore.metadata import users
from kbcore.metadata.policies import names_of_principals
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.page import Page
from services.api.schemas.people import Me, NewUser, UserChange, UserShown
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.library.change_events import user_changed

router = APIRouter(prefix="/v1/users", tags=["people"])


@router.get("/me", summary="Who I am", responses=problems())
def read_me(caller: CallerDep, platform: PlatformDep) -> Me:
    """The caller, its clearance and its groups; with `Zhiku-On-Behalf-Of`, whom it acts for."""
    with platform.database.begin() as connection:
        user = users.get_user(connection, caller.user_id)
        shown = names_of_principals(connection, caller.principals)
    groups = sorted(name.removeprefix("group:") for name in shown.values() if name.startswith("group:"))
    shown_user = UserShown.of(user).model_dump()
    may = {"is_admin": caller.is_admin, "is_auditor": caller.is_auditor}
    scopes = None if caller.scopes is None else sorted(caller.scopes)
    return Me(**{**shown_user, **may}, groups=groups, scopes=scopes, acting=caller.acting_id)


@router.post("", summary="Add a user", status_code=201, response_model=UserShown, responses=problems(403, 409))
def add_user(body: NewUser, write: WriteDep) -> Response:
    """Administrators only."""

    def work(connection: Connection) -> Done:
        user = users.create_user(
            connection,
            name=body.name,
            display_name=body.display_name or body.name,
            email=body.email,
            clearance=Classification.of(body.clearance),
            is_admin=body.is_admin,
            is_auditor=body.is_auditor,
            kind=UserKind(body.kind),
            external_id=body.external_id,
        )
        return Done(UserShown.of(user), status=201, events=user_changed(write.caller, None, user))

    return write.perform(work, before_replay=None)


@router.get("", summary="List users", responses=problems(400, 403))
def list_users(page: PageDep, platform: PlatformDep) -> Page[UserShown]:
    """Oldest first. Administrators and auditors only."""
    with platform.database.begin() as connection:
        rows = users.list_users(connection, after=page.after, limit=page.fetch)
    return page.page(rows, lambda user: user.id, UserShown.of)


@router.get("/{user}", summary="Read a user", responses=problems(403, 404))
def read_user(user: str, platform: PlatformDep, _caller: CallerDep) -> UserShown:
    """By id or name. Administrators and auditors only."""
    with platform.database.begin() as connection:
        return UserShown.of(users.get_user(connection, user))


@router.patch("/{user}", summary="Change a user", response_model=UserShown, responses=problems(403, 404, 409))
def change_user(user: str, body: UserChange, write: WriteDep) -> Response:
    """Acts at once: a lower clearance or `active: false` counts for the next request. Administrators only."""

    def work(connection: Connection) -> Done:
        users.hold_last_admin(connection)  # else the record could call somebody else's change this one
        before = users.get_user(connection, user)
        after = users.update_user(connection, before.id, body.columns())
        return Done(UserShown.of(after), events=user_changed(write.caller, before, after))

    return write.perform(work, before_replay=None)


@router.delete("/{user}", summary="Remove a user", status_code=204, responses=problems(403, 404, 409))
def remove_user(user: str, write: WriteDep) -> Response:
    """With its keys, memberships, grants and conversations; its documents stay. Administrators only."""

    def work(connection: Connection) -> Done:
        users.hold_last_admin(connection)  # else the record could call somebody else's change this one
        before = users.get_user(connection, user)
        users.delete_user(connection, before.id)
        return Done(status=204, events=user_changed(write.caller, before, None))

    return write.perform(work, before_replay=None)
