"""API keys: only the hash of a secret is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.document import Classification
from kbcore.domain.principal import ApiKey, Caller, KeyKind, Scope, UserKind
from kbcore.errors import NotFound
from kbcore.metadata.access import WHO_CTE, resolve_caller
from kbcore.metadata.tables import api_keys

# One statement decides everything about a request's caller. `subject` is the one whose rights count: the key's holder,
# or the person that the key acts for; no row if there is nobody whom it may act for under this name or id.
_PRESENTED = sa.text(f"""
    WITH RECURSIVE presented AS (SELECT * FROM api_keys WHERE id = :key_id),
    subject AS (
        SELECT * FROM users WHERE id = (
            SELECT CASE
                WHEN CAST(:on_behalf_of AS text) IS NULL THEN k.user_id
                WHEN k.acts_for THEN (
                    SELECT p.id FROM users p
                    WHERE (p.id = :on_behalf_of OR p.name = :on_behalf_of)
                        AND p.active AND p.kind = '{UserKind.PERSON}')
                END
            FROM presented k)
    ),
    {WHO_CTE.replace(":user_id", "(SELECT id FROM subject)")}
    SELECT k.secret_hash, k.kind, k.scopes, k.user_id AS holder_id,
        CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired'
             WHEN NOT h.active THEN 'inactive' END AS refusal,
        k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute' AS use_is_news,
        ceil(extract(epoch FROM GREATEST(h.throttled_until, s.throttled_until) - now())) AS throttled_s,
        s.id AS user_id, s.name, s.clearance, s.is_admin, s.is_auditor,
        ARRAY(SELECT principal FROM principals) AS principals
    FROM presented k JOIN users h ON h.id = k.user_id LEFT JOIN subject s ON true
""")

_USED = sa.text("""
    UPDATE api_keys SET last_used_at = now()
    WHERE id IN (SELECT id FROM api_keys WHERE id = :key_id FOR UPDATE SKIP LOCKED)
""")


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """What SQL knows about a key that a request presents, and the caller that it would make.

    `refusal` says why it is not taken: `revoked`, `expired`, or its holder is `inactive`. `throttled_s` is for how many
    seconds more requests of this caller are put off; 0 = not. `use_is_news` if its last use was noted over a minute
    ago. `caller` is None if it may not act for whom the request names.
    """

    secret_hash: bytes
    kind: KeyKind
    holder_id: str
    refusal: str | None
    throttled_s: int
    use_is_news: bool
    caller: Caller | None


def find_presented(connection: Connection, key_id: str, on_behalf_of: str | None = None) -> PresentedKey | None:
    """The key and the caller's principals, in one round trip; None if there is no such key.

    `on_behalf_of` is the name or id of the person whose rights shall count in place of those of the key's holder.
    """
    row = connection.execute(_PRESENTED, {"key_id": key_id, "on_behalf_of": on_behalf_of}).one_or_none()
    if row is None:
        return None
    return PresentedKey(
        secret_hash=bytes(row.secret_hash),
        kind=KeyKind(row.kind),
        holder_id=row.holder_id,
        refusal=row.refusal,
        throttled_s=max(0, int(row.throttled_s or 0)),
        use_is_news=row.use_is_news,
        caller=None if row.user_id is None else _caller(row, key_id, acting=on_behalf_of is not None),
    )


def present_caller(connection: Connection, caller: Caller) -> Caller | None:
    """The caller of a request that lasts, as it is now; None if its key, or its user, counts no more.

    What its key may still be used for is in its scopes. Whether a token of the identity provider has ended meanwhile is
    not asked again.
    """
    if caller.key_id is None:
        return resolve_caller(connection, caller.user_id)
    acting_for = None if caller.acting_id is None else caller.user_id
    presented = find_presented(connection, caller.key_id, acting_for)
    return presented.caller if presented is not None and presented.refusal is None else None


def _caller(row: sa.Row[tuple[object, ...]], key_id: str, *, acting: bool) -> Caller:
    """Whoever is acted for reads as itself, and is in charge of nothing."""
    return Caller(
        user_id=row.user_id,
        name=row.name,
        key_id=key_id,
        principals=frozenset(row.principals),
        clearance=Classification(row.clearance),
        is_admin=row.is_admin and not acting,
        is_auditor=row.is_auditor and not acting,
        acting_id=row.holder_id if acting else None,
        scopes=_scopes(row.scopes),
    )


def note_use(connection: Connection, key_id: str) -> None:
    """Remember that the key was used now; skipped if another request is noting it at this moment."""
    connection.execute(_USED, {"key_id": key_id})


def insert_key(
    connection: Connection,
    *,
    key_id: str,
    user_id: str,
    name: str,
    secret_hash: bytes,
    kind: KeyKind = KeyKind.KEY,
    scopes: frozenset[Scope] | None = None,
    acts_for: bool = False,
    expires_at: datetime | None,
) -> ApiKey:
    """Store a new key's public half and the SHA-256 of its secret."""
    row = connection.execute(
        sa.insert(api_keys)
        .values(
            id=key_id,
            user_id=user_id,
            name=name,
            secret_hash=secret_hash,
            kind=kind,
            scopes=None if scopes is None else sorted(scopes),
            acts_for=acts_for,
            expires_at=expires_at,
        )
        .returning(*api_keys.c)
    ).one()
    return _key(row)


def get_key(connection: Connection, key_id: str) -> ApiKey:
    """One key. Raises `NotFound("api_key")`."""
    row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None:
        raise NotFound("api_key")
    return _key(row)


def kind_of(connection: Connection, key_id: str) -> KeyKind | None:
    """What a key is for; None if there is no such key."""
    kind = connection.execute(sa.select(api_keys.c.kind).where(api_keys.c.id == key_id)).scalar_one_or_none()
    return None if kind is None else KeyKind(kind)


def list_keys(
    connection: Connection, *, user_id: str | None, kind: KeyKind | None = None, after: str | None, limit: int
) -> list[ApiKey]:
    """Keys by id (oldest first), those after the id `after`; of one user, of one kind, if these are given."""
    query = sa.select(api_keys).order_by(api_keys.c.id).limit(limit)
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id)
    if kind is not None:
        query = query.where(api_keys.c.kind == kind)
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [_key(row) for row in connection.execute(query)]


def update_key(connection: Connection, key_id: str, values: Mapping[str, object]) -> ApiKey:
    """Set name, expiry or scopes. Raises `NotFound("api_key")`."""
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


def end_sessions(connection: Connection, user_id: str) -> None:
    """Revoke every session of a user: what its password opened is closed."""
    connection.execute(
        sa.update(api_keys)
        .where(_sessions_of(user_id), api_keys.c.revoked_at.is_(None))
        .values(revoked_at=sa.func.now())
    )


def forget_ended_sessions(connection: Connection, user_id: str) -> None:
    """Remove the rows of sessions that are over, so that logins do not pile up."""
    over = sa.or_(api_keys.c.expires_at <= sa.func.now(), api_keys.c.revoked_at.is_not(None))
    connection.execute(sa.delete(api_keys).where(_sessions_of(user_id), over))


def _sessions_of(user_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(api_keys.c.user_id == user_id, api_keys.c.kind == KeyKind.SESSION)


def _scopes(words: list[str] | None) -> frozenset[Scope] | None:
    return None if words is None else frozenset(map(Scope, words))


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        user_id=row.user_id,
        kind=KeyKind(row.kind),
        scopes=_scopes(row.scopes),
        acts_for=row.acts_for,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
