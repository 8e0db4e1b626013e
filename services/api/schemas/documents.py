"""Documents, versions and chunks on the wire."""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kbcore.domain.document import FOREVER, Classification, Document, Origin, Version, VersionState
from kbcore.metadata.chunks import PlacedChunk
from services.api.schemas.metadata import Metadata
from services.api.schemas.names import Comment, Level, Line, Moment, Uri, level_of
from services.api.schemas.spaces import PolicyBody
from services.library.derive import Accepted
from services.library.upload import Upload

_STRICT = ConfigDict(extra="forbid")
_TAG_SEPARATORS = re.compile(r"[,，]")


def _split(value: object) -> object:
    if not isinstance(value, list):
        return value
    tags = [tag.strip() for item in value for tag in _TAG_SEPARATORS.split(str(item))]
    return list(dict.fromkeys(tag for tag in tags if tag))


def _json_object(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('not valid JSON; send an object like {"region": "CN"}') from None


Tags = Annotated[list[Line], Field(max_length=50)]


class UploadFields(BaseModel):
    """What an upload says besides the file."""

    model_config = _STRICT

    space: str = Field(max_length=100, description="Where it goes: id or name of a space.")
    title: Line | None = Field(default=None, description="The file name without extension if left out.")
    classification: Level | None = Field(default=None, description="`internal` if left out.")
    external_id: Line | None = Field(
        default=None, description="Your own id: the same one in the same space again is a new version of that document."
    )
    tags: Annotated[Tags, BeforeValidator(_split)] | None = Field(
        default=None, description="Repeat the field, or separate by commas."
    )
    effective_from: Moment | None = Field(default=None, description="In force from then on.")
    effective_to: Moment | None = Field(default=None, description="In force until then.")
    metadata: Annotated[Metadata, BeforeValidator(_json_object)] | None = Field(
        default=None, description="A JSON object as text."
    )
    comment: Comment | None = Field(default=None, description="Why this version: shown in the history.")
    source: Line | None = Field(
        default=None,
        description="The folder or system that the document is kept in step with, as you name it.",
    )
    source_uri: Uri | None = Field(default=None, description="Where the file came from.")

    def upload(self) -> Upload:
        """As the use case takes it."""
        level = None if self.classification is None else Classification.of(self.classification)
        return Upload(**{**dict(self), "classification": level})


class ContentFields(BaseModel):
    """What new content of a document says besides the file."""

    model_config = _STRICT

    comment: Comment | None = None


class UploadAccepted(BaseModel):
    """Received; the job does the rest."""

    document_id: str
    version: int = Field(description="1 for a new document.")
    job_id: str | None = Field(description="Follow it at `/v1/jobs/{id}`.")
    unchanged: bool = Field(default=False, description="The latest version is this already; nothing is re-done.")

    @classmethod
    def of(cls, accepted: Accepted) -> Self:
        """From the use case."""
        return cls(
            document_id=accepted.document_id,
            version=accepted.version,
            job_id=accepted.job_id,
            unchanged=accepted.unchanged,
        )


class DocumentChange(BaseModel):
    """What to change about a document; absent fields stay, null clears."""

    model_config = _STRICT

    title: Line = ""
    tags: Tags = []
    classification: Level = "internal"
    policy: PolicyBody | None = Field(default=None, description="A policy of its own; null = its space's again.")
    effective_from: Moment | None = None
    effective_to: Moment | None = None
    metadata: Metadata = {}
    external_id: Line | None = Field(default=None, description="Your own id, as when the file has moved.")
    comment: Comment | None = Field(default=None, description="Why: shown in the history, not kept elsewhere.")

    def columns(self) -> dict[str, object]:
        """The fields that were sent, besides policy and comment, as the use case takes them."""
        sent = self.model_fields_set - {"policy", "comment"}
        values: dict[str, object] = {name: getattr(self, name) for name in sent}
        if "classification" in values:
            values["classification"] = Classification.of(self.classification)
        if "tags" in values:
            values["tags"] = tuple(dict.fromkeys(self.tags))
        return values


class Reason(BaseModel):
    """Why a version is not indexed."""

    code: str = Field(description="Stable word: `encrypted`, `broken_file`, `empty_file` …")
    detail: str = Field(description="What is wrong, and what helps.")
    page: int | None = Field(description="1-based, where that is known.")


class DocumentShown(BaseModel):
    """A document's present state."""

    id: str
    space: str = Field(description="Name of its space.")
    space_id: str
    external_id: str | None
    source: str | None = Field(description="The folder or system that it is kept in step with.")
    title: str
    classification: Level
    tags: list[str]
    metadata: dict[str, Any]
    effective_from: datetime | None
    effective_to: datetime | None
    own_policy: bool = Field(description="False: it has its space's policy.")
    version: int = Field(description="What readers see; 0 before the first one is indexed.")
    latest_version: int = Field(description="The newest received; what `If-Match` compares with.")
    status: VersionState = Field(description="Of the latest version.")
    reason: Reason | None = Field(description="Why the latest version was skipped or failed.")
    sha256: str = Field(description="Of the latest version's original bytes, 64 hex digits; empty if purged.")
    created_by: str = Field(description="A user's id.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, document: Document, latest: Version) -> Self:
        """From the domain."""
        return cls(
            id=document.id,
            space=document.space,
            space_id=document.space_id,
            external_id=document.external_id,
            source=document.source,
            title=document.title,
            classification=level_of(document.classification),
            tags=list(document.tags),
            metadata=dict(document.metadata),
            effective_from=document.effective_from,
            effective_to=document.effective_to,
            own_policy=document.own_policy_id is not None,
            version=document.version,
            latest_version=document.latest_version,
            status=latest.state,
            reason=_reason(latest),
            sha256=latest.sha256,
            created_by=document.created_by,
            created_at=document.created_at,
            updated_at=document.updated_at,
        )


class DocumentChanged(DocumentShown):
    """A document after a change."""

    job_id: str | None = Field(
        default=None, description="The job that ingests the change's version or re-stamps index rows, if there is one."
    )


class VersionShown(BaseModel):
    """One version of a document."""

    number: int
    state: VersionState
    reason: Reason | None
    current: bool = Field(description="True for the one that readers see now.")
    origin: Origin = Field(
        description="`upload`: new bytes; `rollback`: equal to an older one; `edit`: of the stored text; "
        "`metadata`: of title, tags, metadata or effective dates; `reparse`: the same bytes, read again."
    )
    based_on: int | None = Field(description="The version that it was made from; null for an upload.")
    title: str
    tags: list[str]
    metadata: dict[str, Any]
    effective_from: datetime | None = Field(description="In force from then on.")
    effective_to: datetime | None = Field(description="In force until then.")
    file_name: str
    media_type: str
    sha256: str = Field(description="Of the original bytes, 64 hex digits; empty once they are purged.")
    size: int = Field(description="Of the original bytes, in bytes.")
    source_uri: str | None = Field(description="Where the bytes came from, as the sender said.")
    language: str | None = Field(description="`zh` or `en`; null before it is parsed.")
    pages: int | None
    element_counts: dict[str, int] = Field(description="What parsing found, by kind: headings, tables, …")
    valid_from: int | None = Field(description="The epoch from which readers saw it.")
    valid_to: int | None = Field(description="The epoch until which readers saw it; null while they see it.")
    published_at: datetime | None = Field(description="When readers saw it first.")
    purged_at: datetime | None = Field(description="Since when its text and bytes are gone.")
    comment: str | None
    created_by: str = Field(description="A user's id.")
    created_at: datetime

    @classmethod
    def of(cls, version: Version, *, current: int, published_at: datetime | None) -> Self:
        """From the domain; `current` is the number of the version that readers see."""
        return cls(**_version_fields(version), current=version.number == current, published_at=published_at)


class VersionWithText(VersionShown):
    """One version with the text that was indexed."""

    text: str | None = Field(description="Citations are offsets into it, in characters; null before it is parsed.")


class ChunkShown(BaseModel):
    """A passage of a version: characters `start:end` of its text."""

    id: str
    ordinal: int = Field(description="0-based, in reading order.")
    start: int = Field(description="First character.")
    end: int = Field(description="One past the last character.")
    text: str
    heading: list[str] = Field(description="The headings above it, outermost first.")
    page: int | None = Field(description="1-based.")
    kind: str = Field(description="`text`, `table`, `list_item`, `code` …")
    language: str
    tokens: int = Field(description="As the embedding model counts them, headings included.")

    @classmethod
    def of(cls, chunk: PlacedChunk) -> Self:
        """From SQL."""
        return cls(
            id=chunk.chunk_id,
            ordinal=chunk.ordinal,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            heading=list(chunk.heading),
            page=chunk.page,
            kind=chunk.kind,
            language=chunk.language,
            tokens=chunk.tokens,
        )


def _reason(version: Version) -> Reason | None:
    if version.reason_code is None:
        return None
    return Reason(code=version.reason_code, detail=version.reason or "", page=version.reason_page)


def _version_fields(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "state": version.state,
        "reason": _reason(version),
        "origin": version.origin,
        "based_on": version.based_on,
        "title": version.title,
        "tags": list(version.tags),
        "metadata": dict(version.metadata),
        "effective_from": version.effective_from,
        "effective_to": version.effective_to,
        "file_name": version.file_name,
        "media_type": version.media_type,
        "sha256": version.sha256,
        "size": version.size,
        "source_uri": version.source_uri,
        "language": version.language,
        "pages": version.pages,
        "element_counts": dict(version.element_counts),
        "valid_from": version.valid_from,
        "valid_to": None if version.valid_to == FOREVER else version.valid_to,
        "purged_at": version.purged_at,
        "comment": version.comment,
        "created_by": version.created_by,
        "created_at": version.created_at,
    }
