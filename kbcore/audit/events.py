"""What the audit log records. No document text, no names: ids, which are pseudonyms once a person is erased."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from kbcore.domain.job import Job
from kbcore.domain.principal import Caller
from kbcore.errors import ItemError
from kbcore.observability.tracing import current_trace_id


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened. `kind` is a dotted word (`search.retrieved`, `policy.changed`, `login.refused`).

    `actor` is the user whose rights counted, `acting` the service account that acted for it; both None for what Zhiku
    does by itself and for callers that nobody knows. `detail` is JSON, without text of documents or questions.
    """

    kind: str
    actor: str | None = None
    acting: str | None = None
    key_id: str | None = None
    address: str | None = None
    trace_id: str | None = None
    documents: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what SQL would not give back as it was: one bad event must not spoil those written with it."""
        if not _storable([self.kind, self.actor, self.acting, self.key_id, self.address, self.trace_id]):
            raise ValueError(f"{self.kind}: a word that cannot be stored")
        if not _storable([*self.documents, self.detail]):
            raise ValueError(f"{self.kind}: detail takes text, whole numbers, booleans, lists, objects and null")

    @classmethod
    def by(cls, caller: Caller, kind: str, *, documents: tuple[str, ...] = (), **detail: Any) -> Self:
        """An event of an authenticated request, under the trace id at hand."""
        return cls(
            kind=kind,
            actor=caller.user_id,
            acting=caller.acting_id,
            key_id=caller.key_id,
            address=caller.address,
            trace_id=current_trace_id() or None,
            documents=documents,
            detail=detail,
        )


def job_failed(job: Job, reason: ItemError) -> AuditEvent:
    """A job that ended without success: its code, for its words may quote a document."""
    detail = {"job": job.id, "kind": job.kind.value, "version": job.version, "code": reason.code}
    return AuditEvent("job.failed", documents=(job.document_id,) if job.document_id else (), detail=detail)


def _storable(value: object) -> bool:
    """JSON that PostgreSQL returns unchanged: it rewrites floats, and has no NUL and no lone surrogates."""
    match value:
        case None | bool() | int():
            return True
        case str():
            return _is_text(value)
        case list() | tuple():
            return all(map(_storable, value))
        case Mapping():
            return all(isinstance(name, str) and _storable(name) and _storable(each) for name, each in value.items())
        case _:
            return False


def _is_text(value: str) -> bool:
    return "\0" not in value and (value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value))
