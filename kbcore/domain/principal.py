"""Who asks: people, groups, keys, and the caller that a request resolves to."""

from dataclasses import dataclass
from datetime import datetime

from kbcore.domain.document import Classification

EVERYONE = "everyone"
"""The principal that every authenticated caller has."""


@dataclass(frozen=True, slots=True)
class User:
    """A person or a service account. `name` is unique."""

    id: str
    name: str
    display_name: str
    email: str | None
    clearance: Classification
    is_admin: bool
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of users and of other groups."""

    id: str
    name: str
    title: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's public half; the secret itself is shown once and stored only as a hash."""

    id: str
    name: str
    user_id: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated request's identity, resolved from SQL when the request began.

    `principals` holds `everyone`, `user:<id>` and `group:<id>` for every group, direct or nested.
    """

    user_id: str
    name: str
    key_id: str | None
    principals: frozenset[str]
    clearance: Classification
    is_admin: bool
