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


@dataclass(frozen=True, slots=True)
class Space:
    """A folder of documents with one access policy.

    `key` is the integer that vectors carry; `policy_id` names the space's own policy row, whose entries may change.
    """

    id: str
    key: int
    name: str
    title: str
    policy_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A document's present state. `version` is the one that readers see (0 before the first publication)."""

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


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document: its bytes (by SHA-256), and the epochs in which it is what readers see."""

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
