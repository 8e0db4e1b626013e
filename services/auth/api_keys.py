"""API keys: `zk_<key id>_<secret>`. The id finds the row; the secret is 256 random bits, kept only as a hash."""

import hashlib
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kbcore.domain.ids import new_id
from kbcore.domain.principal import ApiKey
from kbcore.metadata import api_keys as key_rows

_SHAPE = re.compile(r"zk_(?P<id>[0-9a-f]{32})_[A-Za-z0-9_-]{43}", re.ASCII)
_SECRET_BYTES = 32
NO_HASH = bytes(hashlib.sha256().digest_size)
"""What an unknown key is compared with, so that it takes as long as a wrong secret."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its token, which nobody can read again."""

    key: ApiKey
    token: str


def issue_key(connection: Connection, *, user_id: str, name: str, expires_at: datetime | None = None) -> IssuedKey:
    """Make a key for a user."""
    key_id = new_id()
    token = f"zk_{uuid.UUID(key_id).hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = key_rows.insert_key(
        connection, key_id=key_id, user_id=user_id, name=name, secret_hash=hash_token(token), expires_at=expires_at
    )
    return IssuedKey(key, token)


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
