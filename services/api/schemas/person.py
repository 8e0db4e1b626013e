"""A person's own data on the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from kbcore.domain.trace import Trace
from kbcore.metadata.person_records import FeedbackGiven, NamingGrant, RecordAbout
from services.api.schemas.ask import TurnOut
from services.api.schemas.people import ApiKeyShown, UserShown
from services.api.schemas.usage import UsageFigures
from services.library.person import PersonCopy, Thread


class MembershipOut(BaseModel):
    """A group."""

    id: str
    name: str
    source: str | None = Field(description="Who put the person there; null = through another group.")


class IdentityOut(BaseModel):
    """Who an identity provider says that it is."""

    issuer: str
    subject: str
    created_at: datetime


class ThreadOut(BaseModel):
    """A conversation. Questions and titles are null for a reader who is not the person and may not read the answer."""

    id: str
    title: str | None
    created_at: datetime
    updated_at: datetime
    turns: list[TurnOut]
    questions_withheld: list[str] = Field(description="Ids of turns whose question is withheld with the answer.")

    @classmethod
    def of(cls, thread: Thread) -> Self:
        """The public shape."""
        head = thread.conversation
        return cls(
            id=head.id,
            title=head.title if thread.title_shown else None,
            created_at=head.created_at,
            updated_at=head.updated_at,
            turns=[TurnOut.of(turn) for turn in thread.turns],
            questions_withheld=sorted(thread.questions_withheld),
        )


class FeedbackGivenOut(BaseModel):
    """What the person said about an answer; its words are null for a reader who may not read that answer."""

    id: str
    trace_id: str
    rating: int
    reason: str | None
    comment: str | None
    complaint: bool
    created_at: datetime

    @classmethod
    def of(cls, given: FeedbackGiven) -> Self:
        """The public shape."""
        return cls.model_validate({name: getattr(given, name) for name in given.__slots__})


class TraceHead(BaseModel):
    """That something was asked; `GET /v1/traces/{id}` shows the rest."""

    id: str
    trace_id: str
    kind: str
    created_at: datetime | None
    question: str | None
    question_withheld: bool

    @classmethod
    def of(cls, trace: Trace, *, shown: bool) -> Self:
        """The public shape."""
        return cls(
            id=trace.id,
            trace_id=trace.trace_id,
            kind=trace.kind,
            created_at=trace.created_at,
            question=trace.question if shown else None,
            question_withheld=not shown,
        )


class RecordOut(BaseModel):
    """A record of the audit log: what the person did, or what a service account did for it."""

    seq: int
    at: datetime
    kind: str
    acting: str | None
    key_id: str | None
    address: str | None
    trace_id: str | None
    documents: list[str] = Field(description="Those that you may read now.")
    withheld: int = Field(description="How many other documents it names.")

    @classmethod
    def of(cls, record: RecordAbout, readable: frozenset[str]) -> Self:
        """The public shape."""
        told = [each for each in record.documents if each in readable]
        shown = {name: getattr(record, name) for name in record.__slots__ if name != "documents"}
        return cls(**shown, documents=told, withheld=len(record.documents) - len(told))


class GrantOut(BaseModel):
    """A policy's entry that names the person."""

    role: str | None = Field(description="Null = denied.")
    space: str | None = Field(description="The space whose policy it is, by name.")
    document_id: str | None = Field(description="Or the document.")
    effective_from: datetime | None
    effective_to: datetime | None

    @classmethod
    def of(cls, grant: NamingGrant) -> Self:
        """The public shape."""
        return cls.model_validate({name: getattr(grant, name) for name in grant.__slots__})


class PersonExport(BaseModel):
    """Everything that is held about a person, in one document.

    Up to 1,000 traces and 1,000 audit records, oldest first: pass `next_traces_after` and `next_audit_after` as
    `traces_after` and `audit_after` for the next ones, until both are null.
    """

    user: UserShown
    groups: list[MembershipOut]
    keys: list[ApiKeyShown]
    identities: list[IdentityOut]
    grants: list[GrantOut]
    conversations: list[ThreadOut]
    feedback: list[FeedbackGivenOut]
    traces: list[TraceHead]
    audit: list[RecordOut]
    usage: list[UsageFigures] = Field(description="What models cost, by day.")
    next_traces_after: str | None
    next_audit_after: int | None

    @classmethod
    def of(cls, copy: PersonCopy) -> Self:
        """The public shape."""
        return cls(
            user=UserShown.of(copy.user),
            groups=[MembershipOut(id=each.id, name=each.name, source=each.source) for each in copy.groups],
            keys=[ApiKeyShown.of(key) for key in copy.keys],
            identities=[
                IdentityOut(issuer=each.issuer, subject=each.subject, created_at=each.created_at)
                for each in copy.identities
            ],
            grants=[GrantOut.of(grant) for grant in copy.grants],
            conversations=[ThreadOut.of(thread) for thread in copy.threads],
            feedback=[FeedbackGivenOut.of(given) for given in copy.feedback],
            traces=[TraceHead.of(trace, shown=trace.id in copy.questions_shown) for trace in copy.traces],
            audit=[RecordOut.of(record, copy.readable) for record in copy.records],
            usage=[UsageFigures.of(each) for each in copy.usage],
            next_traces_after=copy.more_traces,
            next_audit_after=copy.more_records,
        )


class KeptOf(BaseModel):
    """What stays, and why."""

    what: str
    why: str


class PersonReceipt(BaseModel):
    """Proof of a person's erasure, signed like a certificate of erasure (`zhiku verify-certificate` verifies it)."""

    model_config = ConfigDict(extra="forbid")

    user_id: str = Field(description="All that is left of the person: a pseudonym.")
    requested_by: str
    erased_at: str
    removed: dict[str, int] = Field(description="How much there was of what.")
    kept: list[KeptOf]
    public_key: str
    signature: str

    @classmethod
    def of(cls, receipt: dict[str, Any]) -> Self:
        """The signed document, unchanged."""
        return cls.model_validate(receipt)
