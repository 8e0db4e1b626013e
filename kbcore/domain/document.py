"""Spaces, documents and their versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

FOREVER = 2**62
"""`valid_to` of everything that is still live: an epoch that is never reached (fits INT64 in SQL and Milvus)."""


class Classification(IntEnum):
    """How secret a document is; a caller's clearance must be at least as high."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3

    @property
    def word(self) -> str:
        """The lower-case word used in the API."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Classification":
        """The level named by `word`; raises `KeyError` for any other word."""
        return cls[word.upper()]


class VersionState(StrEnum):
    """Where a version is on its way; the last three are final."""

    PENDING = "pending"
    STAGED = "staged"  # parsed, chunked and embedded; waits for its publication
    INDEXED = "indexed"
    SKIPPED = "skipped"
    FAILED = "failed"


class Origin(StrEnum):
    """What made a version."""

    UPLOAD = "upload"  # new bytes
    ROLLBACK = "rollback"  # equal to an older version
    EDIT = "edit"  # somebody corrected the stored text
    METADATA = "metadata"  # title, tags, metadata or effective dates
    REPARSE = "reparse"  # the same bytes read again


class Replaces(StrEnum):
    """Which published versions a version ends when it is published."""

    COVERED = "covered"  # those whose remaining time in force it covers
    BASE = "base"  # those, and the version that it corrects (`based_on`)
    ALL = "all"  # every one


@dataclass(frozen=True, slots=True)
class Space:
    """A folder of documents with one access policy.

    `key` is the integer that vectors carry; `policy_id` names the space's own policy row, whose entries may change.
    Versions that were replaced or deleted are purged after `retention_days` and beyond the newest `retention_versions`
    of a document (None = never).
    """

    id: str
    key: int
    name: str
    title: str
    policy_id: int
    created_at: datetime
    retention_days: int | None = None
    retention_versions: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document's present state. `version` is the one that readers see (0 while none is published and in force).

    Title, tags, metadata and effective dates are what was said last; those of each version are in its history.
    """

    id: str
    key: int
    space_id: str
    space: str
    external_id: str | None
    title: str
    classification: Classification
    own_policy_id: int | None
    policy_id: int
    tags: tuple[str, ...]
    metadata: Mapping[str, object]
    effective_from: datetime | None
    effective_to: datetime | None
    version: int
    latest_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document: its bytes (by SHA-256), and the epochs between which it was published.

    Among the versions that are published at the same epoch, the highest number whose effective dates (half open) hold
    the moment in question is in force: it is the one that readers see.
    """

    document_id: str
    number: int
    sha256: str
    size: int
    file_name: str
    media_type: str
    state: VersionState
    created_by: str
    created_at: datetime
    title: str
    language: str | None = None
    pages: int | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    reason_code: str | None = None
    reason: str | None = None
    reason_page: int | None = None
    comment: str | None = None
    element_counts: Mapping[str, int] = field(default_factory=dict)
    origin: Origin = Origin.UPLOAD
    source_uri: str | None = None
    based_on: int | None = None
    replaces: Replaces = Replaces.COVERED
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    staged_in: int | None = None
    purged_at: datetime | None = None

    @property
    def ever_published(self) -> bool:
        """True if readers have seen it, or see it."""
        return self.valid_from is not None
