"""From an `Authorization` header to a caller, in one round trip to SQL."""

from kbcore.domain.principal import Caller
from kbcore.errors import Unauthenticated
from kbcore.metadata.api_keys import find_presented, note_use
from kbcore.metadata.database import Database
from services.auth.api_keys import NO_HASH, key_id_of, matches

_REFUSAL = "Send a valid API key: Authorization: Bearer zk_…"


def authenticate(database: Database, authorization: str | None) -> Caller:
    """The caller behind an `Authorization` header, with its groups as they are now.

    Raises `Unauthenticated`, the same for no key, a malformed, unknown, wrong, expired or revoked one and an inactive
    user; `AclUnavailable` if SQL does not answer.
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    key_id = key_id_of(token) if scheme.lower() == "bearer" else None
    if key_id is None:
        raise Unauthenticated(_REFUSAL)
    with database.begin() as connection:
        presented = find_presented(connection, key_id)
        genuine = matches(token, presented.secret_hash if presented else NO_HASH)
        if presented is None or not genuine or not presented.usable:
            raise Unauthenticated(_REFUSAL)
        if presented.use_is_news:
            note_use(connection, key_id)
        return presented.caller
