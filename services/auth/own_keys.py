"""Keys that people make for themselves: never wider than what they make them with."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from kbcore.domain.principal import ApiKey, Caller, KeyKind, Scope, UserKind
from kbcore.errors import Forbidden, NotFound
from kbcore.metadata import api_keys, users
from kbcore.settings import KeySettings
from services.auth.api_keys import IssuedKey, issue_key, require_no_later, require_within


def make_own_key(
    connection: Connection,
    settings: KeySettings,
    caller: Caller,
    *,
    name: str,
    scopes: frozenset[Scope] | None,
    opening: frozenset[Scope | None],
    expires_at: datetime | None,
) -> IssuedKey:
    """A key of the caller's. `opening` are scopes that give more than their user's rights: only the trusted give them.

    Raises `Forbidden` to a service account, `Unprocessable` (`wider_key`) for more than the credential at hand may do,
    or for longer than it or `keys.max_days` allow. A session makes keys that outlive it.
    """
    if users.get_user(connection, caller.user_id).kind is not UserKind.PERSON:
        raise Forbidden("The keys of service accounts are made by administrators.")
    require_within(caller.scopes, scopes)
    if not caller.is_trusted and scopes is not None:
        require_within(frozenset(Scope) - opening, scopes)
    made_with = None if caller.key_id is None else api_keys.get_key(connection, caller.key_id)
    if made_with is not None and made_with.kind is KeyKind.KEY:
        require_no_later(made_with.expires_at, expires_at)
    if settings.max_days:
        require_no_later(datetime.now(UTC) + timedelta(days=settings.max_days), expires_at)
    return issue_key(connection, user_id=caller.user_id, name=name, scopes=scopes, expires_at=expires_at)


def own_key(connection: Connection, caller: Caller, key_id: str) -> ApiKey:
    """A key of the caller's. Raises `NotFound("api_key")` for everybody else's."""
    key = api_keys.get_key(connection, key_id)
    if key.user_id != caller.user_id:
        raise NotFound("api_key")
    return key
