"""`/v1/api-keys`: keys of people and of apps, managed by administrators."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.metadata import api_keys, users
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.schemas.page import Page
from services.api.schemas.people import ApiKeyChange, ApiKeyIssued, ApiKeyShown, NewApiKey
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.auth.api_keys import issue_key, narrow_key, require_may_act
from services.library.change_events import key_changed, key_made, key_revoked

router = APIRouter(prefix="/v1/api-keys", tags=["people"])


@router.post("", summary="Make a key", status_code=201, response_model=ApiKeyIssued, responses=problems(403, 404))
def make_key(body: NewApiKey, write: WriteDep) -> Response:
    """`key` is shown this once and never again. Administrators only."""

    def work(connection: Connection) -> Done:
        user = users.get_user(connection, body.user)
        require_may_act(user, body.acts_for)
        issued = issue_key(
            connection,
            user_id=user.id,
            name=body.name,
            scopes=body.scopes,
            acts_for=body.acts_for,
            expires_at=body.expires_at,
        )
        shown = ApiKeyIssued(**ApiKeyShown.of(issued.key).model_dump(), key=issued.token)
        event = key_made(write.caller, issued.key)
        return Done(shown, status=201, secret=frozenset({"key"}), events=(event,))

    return write.perform(work, before_replay=None)


@router.get("", summary="List keys", responses=problems(400, 403, 404))
def list_keys(
    page: PageDep,
    platform: PlatformDep,
    user: Annotated[str | None, Query(description="Only keys of this user: name or id.")] = None,
) -> Page[ApiKeyShown]:
    """Oldest first, revoked ones and sessions too; never the secrets. Administrators and auditors only."""
    with platform.database.begin() as connection:
        user_id = None if user is None else users.get_user(connection, user).id
        rows = api_keys.list_keys(connection, user_id=user_id, after=page.after, limit=page.fetch)
    return page.page(rows, lambda key: key.id, ApiKeyShown.of)


@router.get("/{key_id}", summary="Read a key", responses=problems(403, 404))
def read_key(key_id: str, platform: PlatformDep, _caller: CallerDep) -> ApiKeyShown:
    """Its public half. Administrators and auditors only."""
    with platform.database.begin() as connection:
        return ApiKeyShown.of(api_keys.get_key(connection, key_id))


@router.patch("/{key_id}", summary="Change a key", response_model=ApiKeyShown, responses=problems(403, 404))
def change_key(key_id: str, body: ApiKeyChange, write: WriteDep) -> Response:
    """Its name; fewer scopes; a sooner end. What it may not do yet needs a new key. Administrators only."""

    def work(connection: Connection) -> Done:
        before = api_keys.get_key(connection, key_id)
        after = narrow_key(connection, before, body.model_dump(exclude_unset=True))
        return Done(ApiKeyShown.of(after), events=key_changed(write.caller, before, after))

    return write.perform(work, before_replay=None)


@router.delete("/{key_id}", summary="Revoke a key", status_code=204, responses=problems(403, 404))
def revoke_key(key_id: str, write: WriteDep) -> Response:
    """From now on it is refused; it stays listed as history. Administrators only."""

    def work(connection: Connection) -> Done:
        api_keys.revoke_key(connection, key_id)
        return Done(status=204, events=(key_revoked(write.caller, api_keys.get_key(connection, key_id)),))

    return write.perform(work, before_replay=None)
