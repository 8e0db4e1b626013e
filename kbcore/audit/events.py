"""What the audit log records. No document text, no names: ids, which are pseudonyms once a person is erased."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from kbcore.domain.principal import Caller
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
