"""The audit log on the wire."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.metadata.audit_check import Verdict
from kbcore.metadata.audit_pages import AuditRecord

Why = Literal["changed", "missing", "reordered", "truncated", "head_mismatch", "unknown_key"]


class AuditEventShown(BaseModel):
    """One record. Names are of people who are still there; an id stays when its person is gone."""

    seq: int = Field(description="Its place in the chain: 1, 2, 3, … without gaps.")
    at: datetime
    kind: str = Field(description="A dotted word, as docs/audit.md lists them.")
    actor: str | None = Field(description="The user whose rights counted; null for Zhiku itself and for strangers.")
    actor_name: str | None
    acting: str | None = Field(description="The service account that acted for it.")
    acting_name: str | None
    key_id: str | None
    address: str | None
    trace_id: str | None
    documents: list[str]
    detail: dict[str, Any]

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """From a row."""
        return cls(
            seq=record.seq,
            at=record.at,
            kind=record.kind,
            actor=record.actor,
            actor_name=record.actor_name,
            acting=record.acting,
            acting_name=record.acting_name,
            key_id=record.key_id,
            address=record.address,
            trace_id=record.trace_id,
            documents=list(record.documents),
            detail=dict(record.detail),
        )


class VerifyBody(BaseModel):
    """What to verify."""

    model_config = ConfigDict(extra="forbid")

    since_last_head: bool = Field(
        default=False, description="Only what came since the last exported head; default: from the beginning."
    )


class BrokenShown(BaseModel):
    """The first place where something is wrong."""

    seq: int
    why: Why


class AuditVerdict(BaseModel):
    """What a verification found."""

    ok: bool
    records: int = Field(description="Records read.")
    last_seq: int
    first_broken: BrokenShown | None
    heads_checked: int = Field(description="Exported heads compared with the log.")
    key_unknown: int = Field(description="Records made with a key that is not known here.")

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """From what was found."""
        return cls.model_validate(verdict.recorded())
