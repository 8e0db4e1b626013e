"""`/v1/traces`: how a search or an answer came about, and the same answer's context once more."""

from fastapi import APIRouter

from kbcore.audit.events import AuditEvent
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.schemas.problem import problems
from services.api.schemas.replay import ReplayOut
from services.api.schemas.traces import TraceOut
from services.library.replay import replay
from services.library.traces import show_trace

router = APIRouter(prefix="/v1/traces", tags=["audit"])


@router.get("/{trace_id}", summary="Read the trace of a search or an answer", responses=problems(404))
def read_trace(trace_id: str, platform: PlatformDep, caller: CallerDep, seen: SeenDep) -> TraceOut:
    """By the `trace_id` of the answer: your own ones; administrators and auditors read all.

    Passages are named if you may read them now, the others are counted. The question is shown to its asker, and to an
    administrator or auditor who may read every document of the trace.
    """
    with platform.database.snapshot() as connection:
        shown = show_trace(connection, caller, trace_id)
    documents = tuple(dict.fromkeys(each.passage.document_id for each in shown.passages))
    detail = {"trace": shown.trace.id, "asker": shown.trace.user_id, "question_shown": shown.question_shown}
    platform.audit.record([AuditEvent.by(caller, "trace.read", documents=documents, **detail)])
    seen.recorded()
    return TraceOut.of(shown)


@router.post("/{trace_id}/replay", summary="Rebuild what an answer was written from", responses=problems(404))
def replay_trace(trace_id: str, platform: PlatformDep, caller: CallerDep, seen: SeenDep) -> ReplayOut:
    """The context of the old answer, from the stored versions, and whether the prompt is the same to the byte.

    `today` says what would differ if the asker asked now. Words are given only if you may read all of them now.

    Your own traces; administrators and auditors: all.
    """
    replayed = replay(platform, caller, trace_id)
    shown = replayed.context or ()
    replay_event = AuditEvent.by(
        caller,
        "trace.replayed",
        documents=tuple(dict.fromkeys(each.document_id for each in shown)),
        trace=replayed.trace.id,
        asker=replayed.trace.user_id,
        identical=replayed.identical,
        why_not=replayed.why_not,
        prompt_shown=replayed.prompt is not None,
    )
    platform.audit.record([replay_event])
    seen.recorded()
    return ReplayOut.of(replayed)
