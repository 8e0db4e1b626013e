"""`/v1/traces`: how a search or an answer came about, and the same answer's context once more."""

from fastapi import APIRouter

from kbcore.audit.events import AuditEvent
from services.api.dependencies import CallerDep, PlatformDep
from services.api.schemas.problem import problems
from services.api.schemas.traces import TraceOut
from services.library.traces import show_trace

router = APIRouter(prefix="/v1/traces", tags=["audit"])


@router.get("/{trace_id}", summary="Read the trace of a search or an answer", responses=problems(404))
def read_trace(trace_id: str, platform: PlatformDep, caller: CallerDep) -> TraceOut:
    """By the `trace_id` of the answer: your own ones; administrators and auditors read all.

    Passages are named if you may read them now, the others are counted. The question is shown to its asker, and to an
    administrator or auditor who may read every document of the trace.
    """
    with platform.database.snapshot() as connection:
        shown = show_trace(connection, caller, trace_id)
    documents = tuple(dict.fromkeys(each.passage.document_id for each in shown.passages))
    detail = {"trace": shown.trace.id, "asker": shown.trace.user_id, "question_shown": shown.question_shown}
    platform.audit.record([AuditEvent.by(caller, "trace.read", documents=documents, **detail)])
    return TraceOut.of(shown)
