"""Erasures and their certificates on the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.metadata.erasures import Erasure
from services.api.schemas.names import Text


class EraseBody(BaseModel):
    """Why a document is erased."""

    model_config = ConfigDict(extra="forbid")

    reason: Text | None = Field(
        None, max_length=2000, description="Kept with the erasure, so without anything that the document says."
    )


class ErasureAccepted(BaseModel):
    """An erasure under way; nobody reads the document any more."""

    erasure_id: str
    job_id: str


class ProbeShown(BaseModel):
    """One place that was searched after the removal."""

    where: str
    asked: int | None = Field(description="For how many things was looked; null = for anything of the document.")
    found: int = Field(description="Always 0: there is no certificate before.")


class KeptShown(BaseModel):
    """What had to stay, and why."""

    what: str
    count: int
    why: str


class Certificate(BaseModel):
    """Proof of an erasure, signed with Ed25519 over the canonical JSON of everything but `signature`.

    Canonical: keys sorted, no spaces, UTF-8. `zhiku verify-certificate` verifies it, and so does any Ed25519.
    """

    model_config = ConfigDict(extra="allow")

    erasure_id: str
    document_id: str
    requested_by: str = Field(description="A user's id.")
    requested_at: datetime
    finished_at: datetime
    removed: dict[str, int] = Field(description="How much there was of what.")
    kept: list[KeptShown]
    probes: list[ProbeShown]
    generations: list[dict[str, Any]] = Field(description="The index generations that were searched.")
    public_key: str = Field(description="Base64 of 32 bytes.")
    signature: str = Field(description="Base64 of 64 bytes.")


class ErasureShown(BaseModel):
    """An erasure."""

    erasure_id: str
    document_id: str
    reason: str | None
    requested_by: str = Field(description="A user's id.")
    requested_at: datetime
    job_id: str | None
    finished_at: datetime | None
    certificate: dict[str, Any] | None = Field(description="Null until every probe has come back empty.")

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """From SQL."""
        return cls(
            erasure_id=erasure.id,
            document_id=erasure.document_id,
            reason=erasure.reason,
            requested_by=erasure.requested_by,
            requested_at=erasure.created_at,
            job_id=erasure.job_id,
            finished_at=erasure.finished_at,
            certificate=None if erasure.certificate is None else dict(erasure.certificate),
        )
