"""`/v1/users/me/keys`: the keys that people make for themselves."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from kbcore.domain.principal import KeyKind
from kbcore.metadata import api_keys
from services.api.dependencies import CallerDep, PlatformDep
from services.api.paging import PageDep
from services.api.rights import OPENING
from services.api.schemas.page import Page
from services.api.schemas.people import ApiKeyIssued, ApiKeyShown, NewOwnKey
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep
from services.auth.own_keys import make_own_key, own_key
from services.library.change_events import key_made, key_revoked

router = APIRouter(prefix="/v1/users/me/keys", tags=["people"])


@router.get("", summary="List my keys", responses=problems(400, 403))
def list_own_keys(page: PageDep, platform: PlatformDep, caller: CallerDep) -> Page[ApiKeyShown]:
    """Oldest first, revoked ones too; never the secrets, and no sessions."""
    with platform.database.begin() as connection:
        rows = api_keys.list_keys(
            connection, user_id=caller.user_id, kind=KeyKind.KEY, after=page.after, limit=page.fetch
        )
    return page.page(rows, lambda key: key.id, ApiKeyShown.of)


@router.post("", summary="Make a key of mine", status_code=201, response_model=ApiKeyIssued, responses=problems(403))
def add_own_key(body: NewOwnKey, write: WriteDep, platform: PlatformDep, caller: CallerDep) -> Response:
    """`key` is shown this once. It may do at most what the key at hand may, for at most `keys.max_days` days."""

    def work(connection: Connection) -> Done:
        issued = make_own_key(
            connection,
            platform.settings.keys,
            caller,
            name=body.name,
            scopes=body.scopes,
            opening=OPENING,
            expires_at=body.expires_at,
        )
        shown = ApiKeyIssued(**ApiKeyShown.of(issued.key).model_dump(), key=issued.token)
        event = key_made(caller, issued.key)
        return Done(shown, status=201, secret=frozenset({"key"}), events=(event,))

    return write.perform(work, before_replay=None)


@router.delete("/{key_id}", summary="Revoke a key of mine", status_code=204, responses=problems(403, 404))
def revoke_own_key(key_id: str, write: WriteDep, caller: CallerDep) -> Response:
    """From now on it is refused; it stays listed as history."""

    def work(connection: Connection) -> Done:
        key = own_key(connection, caller, key_id)
        api_keys.revoke_key(connection, key.id)
        return Done(status=204, events=(key_revoked(caller, key),))

    return write.perform(work, before_replay=None)
