"""Keys `zk_<key id>_<secret>` and sessions `zs_…`: the id finds the row; 256 random bits are kept only as a hash."""

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kbcore.domain.ids import new_id
from kbcore.domain.principal import ApiKey, KeyKind, Scope, User, UserKind
from kbcore.errors import Unprocessable
from kbcore.metadata import api_keys as key_rows

_SHAPE = re.compile(r"z[ks]_(?P<id>[0-9a-f]{32})_[A-Za-z0-9_-]{43}", re.ASCII)
_PREFIX = {KeyKind.KEY: "zk", KeyKind.SESSION: "zs"}
_SECRET_BYTES = 32
NO_HASH = bytes(hashlib.sha256().digest_size)
"""What an unknown key is compared with, so that it takes as long as a wrong secret."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its token, which nobody can read again."""

    key: ApiKey
    token: str


def issue_key(
    connection: Connection,
    *,
    user_id: str,
    name: str,
    kind: KeyKind = KeyKind.KEY,
    scopes: frozenset[Scope] | None = None,
    acts_for: bool = False,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a key for a user."""
    key_id = new_id()
    token = f"{_PREFIX[kind]}_{uuid.UUID(key_id).hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = key_rows.insert_key(
        connection,
        key_id=key_id,
        user_id=user_id,
        name=name,
        secret_hash=hash_token(token),
        kind=kind,
        scopes=scopes,
        acts_for=acts_for,
        expires_at=expires_at,
    )
    return IssuedKey(key, token)


def require_may_act(user: User, acts_for: bool) -> None:
    """Raises `Unprocessable` (`not_a_service_account`) if somebody else's key shall act for people."""
    if acts_for and user.kind is not UserKind.SERVICE:
        raise Unprocessable("Only keys of service accounts can act for people.", code="not_a_service_account")


def narrow_key(connection: Connection, key: ApiKey, changes: Mapping[str, Any]) -> ApiKey:
    """Rename a key, let it do less or end sooner. Raises `Unprocessable` (`wider_key`)."""
    if key.kind is KeyKind.SESSION:
        raise Unprocessable("A session cannot be changed, only ended.", code="wider_key")
    values = dict(changes)
    if "scopes" in values:
        narrowed = require_within(key.scopes, values["scopes"])
        values["scopes"] = None if narrowed is None else sorted(narrowed)
    if "expires_at" in values:
        require_no_later(key.expires_at, values["expires_at"])
    return key_rows.update_key(connection, key.id, values)


def require_within(held: frozenset[Scope] | None, wanted: frozenset[Scope] | None) -> frozenset[Scope] | None:
    """The scopes that are wanted, if they are within those held (None = all). Raises `Unprocessable` (`wider_key`)."""
    if held is not None and (wanted is None or not wanted <= held):
        raise Unprocessable(f"At most these scopes: {', '.join(sorted(held)) or 'none'}.", code="wider_key")
    return wanted


def require_no_later(latest: datetime | None, wanted: datetime | None) -> None:
    """Raises `Unprocessable` (`wider_key`) if the end that is wanted (None = never) is after the latest possible."""
    if latest is not None and (wanted is None or wanted > latest):
        raise Unprocessable(f"It must end by {latest:%Y-%m-%dT%H:%M:%SZ}.", code="wider_key")


def key_id_of(token: str) -> str | None:
    """The id that a token names; None if it is no API key."""
    match = _SHAPE.fullmatch(token)
    return str(uuid.UUID(hex=match["id"])) if match else None


def hash_token(token: str) -> bytes:
    """SHA-256 of the token. Its 256 random bits make salt and slow hashing pointless."""
    return hashlib.sha256(token.encode()).digest()


def matches(token: str, stored: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_token(token), stored)
