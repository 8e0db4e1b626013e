"""Who asks: people, groups, keys, and the caller that a request resolves to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kbcore.domain.document import Classification

EVERYONE = "everyone"
"""The principal that every authenticated caller has."""


class UserKind(StrEnum):
    """Who stands behind a user. A service account has keys only: no password, no identity at a provider."""

    PERSON = "person"
    SERVICE = "service"


class MemberSource(StrEnum):
    """Who put a member into a group; only the same source takes it out again (people may take out anyone)."""

    MANUAL = "manual"
    SCIM = "scim"
    OIDC = "oidc"


class KeyKind(StrEnum):
    """What a stored secret is for."""

    KEY = "key"  # zk_…: an API key
    SESSION = "session"  # zs_…: made by a login with a password


class Scope(StrEnum):
    """What a key may be used for; `services.api.rights` says which route needs which. Its user's rights apply, too."""

    SEARCH = "search"  # passages: search, Dify retrieval, embeddings, models
    ASK = "ask"  # answers, conversations, feedback
    READ = "read"  # documents, versions, spaces, jobs, the ledger
    WRITE = "write"  # upload, change, delete, share
    ADMIN = "admin"  # people, keys, indexes, evaluations, erasures
    AUDIT = "audit"  # the audit log, traces, explanations of access
    PROVISION = "provision"  # SCIM
    METRICS = "metrics"  # /metrics


@dataclass(frozen=True, slots=True)
class User:
    """A person or a service account. `name` is unique; `external_id` is what a directory knows it by."""

    id: str
    name: str
    display_name: str
    email: str | None
    clearance: Classification
    is_admin: bool
    is_auditor: bool
    active: bool
    kind: UserKind
    external_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of users and of other groups; `external_id` is what a directory knows it by."""

    id: str
    name: str
    title: str
    external_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's public half; the secret itself is shown once and stored only as a hash.

    `scopes` None = all that its user may do. With `acts_for` it may act for people, with their rights.
    """

    id: str
    name: str
    user_id: str
    kind: KeyKind
    scopes: frozenset[Scope] | None
    acts_for: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated request's identity, resolved from SQL when the request began.

    `user_id` is the one whose rights count; `acting_id` is the service account that acts for it, if one does.
    `principals` holds `everyone`, `user:<id>` and `group:<id>` for every group, direct or nested. `scopes` None = all.
    `address` is the client's. Whoever is acted for is neither administrator nor auditor.
    """

    user_id: str
    name: str
    key_id: str | None
    principals: frozenset[str]
    clearance: Classification
    is_admin: bool
    is_auditor: bool = False
    acting_id: str | None = None
    scopes: frozenset[Scope] | None = None
    address: str | None = None

    @property
    def is_trusted(self) -> bool:
        """True for administrators and auditors."""
        return self.is_admin or self.is_auditor
