"""API keys: only the hash of a secret is stored."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.principal import ApiKey, Caller, KeyKind, Scope
from kbcore.errors import NotFound
from kbcore.metadata.access import WHO_CTE
from kbcore.metadata.tables import api_keys

_KEY_AND_CALLER = sa.text(f"""
    WITH RECURSIVE presented AS (SELECT * FROM api_keys WHERE id = :key_id),
    {WHO_CTE.replace(":user_id", "(SELECT user_id FROM presented)")}
    SELECT k.secret_hash, u.id AS user_id, u.name, u.clearance, u.is_admin, u.is_auditor, k.scopes,
           u.active AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AS usable,
           k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute' AS use_is_news,
           ARRAY(SELECT principal FROM principals) AS principals
    FROM presented k JOIN users u ON u.id = k.user_id
""")

_USED = sa.text("""
    UPDATE api_keys SET last_used_at = now()
    WHERE id IN (SELECT id FROM api_keys WHERE id = :key_id FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """What SQL knows about a key that a request presents, and the caller that it would make.

    `usable` is False for an expired or revoked key and for an inactive user; `use_is_news` if its last use was noted
    over a minute ago.
    """

    secret_hash: bytes
    caller: Caller
    usable: bool
    use_is_news: bool


def find_presented(connection: Connection, key_id: str) -> PresentedKey | None:
    """The key and its user's principals, in one round trip; None if there is no such key."""
    row = connection.execute(_KEY_AND_CALLER, {"key_id": key_id}).one_or_none()
    if row is None:
        return None
    caller = Caller(
        user_id=row.user_id,
        name=row.name,
        key_id=key_id,
        principals=frozenset(row.principals),
        clearance=Classification(row.clearance),
        is_admin=row.is_admin,
        is_auditor=row.is_auditor,
        scopes=None if row.scopes is None else frozenset(map(Scope, row.scopes)),
    )
    return PresentedKey(bytes(row.secret_hash), caller, row.usable, row.use_is_news)


def note_use(connection: Connection, key_id: str) -> None:
    """Remember that the key was used now; skipped if another request is noting it at this moment."""
    connection.execute(_USED, {"key_id": key_id})


def insert_key(
    connection: Connection, *, key_id: str, user_id: str, name: str, secret_hash: bytes, expires_at: datetime | None
) -> ApiKey:
    """Store a new key's public half and the SHA-256 of its secret."""
    row = connection.execute(
        sa.insert(api_keys)
        .values(id=key_id, user_id=user_id, name=name, secret_hash=secret_hash, expires_at=expires_at)
        .returning(*api_keys.c)
    ).one()
    return _key(row)


def get_key(connection: Connection, key_id: str) -> ApiKey:
    """One key. Raises `NotFound("api_key")`."""
    row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None:
        raise NotFound("api_key")
    return _key(row)


def list_keys(connection: Connection, *, user_id: str | None, after: str | None, limit: int) -> list[ApiKey]:
    """Keys by id (oldest first), those after the id `after`; of one user if `user_id` is given."""
    query = sa.select(api_keys).order_by(api_keys.c.id).limit(limit)
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id)
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [_key(row) for row in connection.execute(query)]


def update_key(connection: Connection, key_id: str, values: dict[str, object]) -> ApiKey:
    """Set name or expiry. Raises `NotFound("api_key")`."""
    if values:
        connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(**values))
    return get_key(connection, key_id)


def revoke_key(connection: Connection, key_id: str) -> None:
    """End a key's life now; its row stays as history. Raises `NotFound("api_key")`."""
    changed = connection.execute(
        sa.update(api_keys)
        .where(api_keys.c.id == key_id)
        .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, sa.func.now()))
    )
    if not changed.rowcount:
        raise NotFound("api_key")


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        user_id=row.user_id,
        kind=KeyKind(row.kind),
        scopes=None if row.scopes is None else frozenset(map(Scope, row.scopes)),
        acts_for=row.acts_for,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
