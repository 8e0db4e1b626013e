"""Trace: what a search or an answer did, as a frozen record, and its words in the audit log (docs/traces.md)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kbcore.audit.chain import ChainKey
from kbcore.audit.events import AuditEvent
from kbcore.domain.conversation import Citation
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.domain.trace import (
    Prompted,
    Trace,
    TracedAnswer,
    TracedPassage,
    TraceKind,
    TraceOutcome,
    document_of,
)
from kbcore.llm.interface import Usage
from kbcore.metadata.standpoint import AsOf, Narrowing
from kbcore.observability.tracing import current_trace_id
from services.guard.instructions import CLEAN, inspect_text
from services.query.answer import Answer, Retrieved
from services.query.found import Found, Ranked
from services.query.request import AskRequest, SearchRequest


def trace_of_search(caller: Caller, request: SearchRequest, found: Found) -> Trace:
    """The trace of a finished search."""
    asked = {
        "mode": request.mode.value,
        "top_k": request.top_k,
        "rerank": request.rerank,
        "understood": found.understood.traced(),
    }
    return _trace(caller, TraceKind.SEARCH, request.query, {**asked, **_where(request.narrowing, request.as_of)}, found)


def trace_of_question(caller: Caller, request: AskRequest, retrieved: Retrieved) -> Trace:
    """The trace of a question whose answer is still to be written."""
    asked = {
        "model": request.model,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "conversation_id": request.conversation_id,
        "standalone": retrieved.standalone,
        "filtered": retrieved.filtered,
        "understood": retrieved.found.understood.traced(),
        **_where(request.narrowing, request.as_of),
    }
    kept = len(request.turn_ids) == len(request.history)
    given = tuple((turn, bool(pair[1])) for turn, pair in zip(request.turn_ids, request.history, strict=False))
    history = given if kept else None
    question = request.question if retrieved.question is None else retrieved.question
    return _trace(caller, TraceKind.ASK, question, asked, retrieved.found, history=history)


def answered(prompts: Sequence[Prompted], answer: Answer, took_ms: float) -> TracedAnswer:
    """How a complete answer ended."""
    return TracedAnswer(
        outcome=TraceOutcome.ABSTAINED if answer.abstained else TraceOutcome.ANSWERED,
        prompts=tuple(prompts),
        reason=answer.reason,
        model=answer.model,
        routed_because=answer.routed_because,
        cited=_cited(answer.citations),
        named=answer.named,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        finish_reason=answer.finish_reason,
        took_ms=round(took_ms, 2),
        dropped=dict(answer.dropped),
        masked=dict(answer.masked),
        given_before=answer.given_before,
        conflict=answer.conflict,
    )


def broken_off(
    prompts: Sequence[Prompted],
    citations: Iterable[Citation],
    took_ms: float,
    *,
    error_code: str | None,
    usage: Usage,
) -> TracedAnswer:
    """How an answer ended that failed with this code, or without one whose client left; `citations` were shown."""
    return TracedAnswer(
        outcome=TraceOutcome.LEFT if error_code is None else TraceOutcome.FAILED,
        prompts=tuple(prompts),
        error_code=error_code,
        model=prompts[-1].model if prompts else None,
        routed_because=prompts[-1].because if prompts else None,
        cited=_cited(citations),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        took_ms=round(took_ms, 2),
    )


def retrieval_event(caller: Caller, trace: Trace, key: ChainKey, shown: Collection[str]) -> AuditEvent:
    """`search.retrieved`: which versions were found, refused and shown (their passages' chunk ids); no question."""
    retrieved = {(each.document_id, each.version) for each in trace.passages}
    seen = {(each.document_id, each.version) for each in trace.passages if each.chunk_id in shown}
    return _event(
        caller,
        trace,
        "search.retrieved",
        documents=trace.documents,
        use=trace.kind.value,
        question=key.pseudonym(trace.question),
        epoch=trace.epoch,
        index=trace.generation_id,
        retrieved=_pairs(retrieved),
        shown=_pairs(seen),
        refused=_pairs({document_of(each) for each in trace.refused}),
    )


def answer_events(caller: Caller, trace: Trace, answer: TracedAnswer) -> list[AuditEvent]:
    """`model.called` for every model that was asked, then `answer.given` unless it failed."""
    events = [
        _event(caller, trace, "model.called", **_called(answer, prompted, last=last))
        for prompted, last in zip(answer.prompts, [*[False] * (len(answer.prompts) - 1), True], strict=False)
    ]
    if answer.outcome is TraceOutcome.FAILED and not answer.cited:
        return events
    cited = {(document, version) for _, document, version, _, _ in answer.cited}
    documents = tuple(sorted({document for document, _ in cited} | set(answer.named)))
    given = _event(
        caller,
        trace,
        "answer.given",
        documents=documents,
        outcome=answer.outcome.value,
        reason=answer.reason,
        model=answer.model,
        cited=_pairs(cited),
        named=list(answer.named),
        **({} if answer.given_before is None else {"given_before": answer.given_before}),
    )
    return [*events, given]


def _event(caller: Caller, trace: Trace, kind: str, *, documents: tuple[str, ...] = (), **detail: Any) -> AuditEvent:
    """Under the trace's own id: the end of a stream may come when its request is over."""
    event = AuditEvent.by(caller, kind, documents=documents, trace=trace.id, **detail)
    return replace(event, trace_id=trace.trace_id or None)


def _called(answer: TracedAnswer, prompted: Prompted, *, last: bool) -> Mapping[str, Any]:
    """Tokens are counted for the model that wrote the answer; one that was given up has none that are known."""
    return {
        "model": prompted.model,
        "prompt": prompted.prompt_hash,
        "outcome": answer.outcome.value if last else TraceOutcome.FAILED.value,
        "prompt_tokens": answer.prompt_tokens if last else 0,
        "completion_tokens": answer.completion_tokens if last else 0,
    }


def _trace(
    caller: Caller,
    kind: TraceKind,
    question: str,
    asked: Mapping[str, Any],
    found: Found,
    history: tuple[tuple[str, bool], ...] | None = (),
) -> Trace:
    standing, took = found.standpoint, found.took
    index = standing.index
    return Trace(
        id=new_id(),
        trace_id=current_trace_id(),
        user_id=caller.user_id,
        acting=caller.acting_id,
        kind=kind,
        question=question,
        asked=asked,
        history=history,
        epoch=standing.epoch,
        at=standing.at,
        as_of_past=not found.as_of.present,
        replaced_too=standing.history,
        dated=standing.dated,
        generation_id=None if index is None else index.id,
        embedding=None if index is None else index.embedding,
        analyzer=None if index is None else index.analyzer,
        legs=found.legs,
        refused=found.refused_ids,
        passages=tuple(_passage(item, inspected=kind is TraceKind.ASK) for item in found.ranked),
        took_ms={
            "total": round(took.total, 2),
            "embed": round(took.embed, 2),
            "search": round(took.search, 2),
            "check": round(took.check, 2),
        },
    )


def _passage(item: Ranked, *, inspected: bool) -> TracedPassage:
    place = item.passage
    taint = inspect_text(place.text, place.title, *place.heading) if inspected else CLEAN
    return TracedPassage(
        chunk_id=place.chunk_id,
        document_id=place.document_id,
        version=place.version,
        start=place.start,
        end=place.end,
        score=item.score,
        dense=item.dense,
        keyword=item.keyword,
        rerank=item.rerank,
        taint=taint.score,
        signs=tuple(sign.value for sign in taint.signs),
    )


def _where(narrowing: Narrowing, as_of: AsOf) -> dict[str, Any]:
    return {
        "spaces": None if narrowing.spaces is None else list(narrowing.spaces),
        "tags": list(narrowing.tags),
        "language": narrowing.language,
        "metadata": dict(narrowing.metadata),
        "as_of": {
            "time": _iso(as_of.time),
            "snapshot": as_of.snapshot,
            "epoch": as_of.epoch,
            "effective_at": _iso(as_of.effective_at),
        },
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _cited(citations: Iterable[Citation]) -> tuple[tuple[str, str, int, int, int], ...]:
    return tuple((each.chunk_id, each.document_id, each.version, each.start, each.end) for each in citations)


def _pairs(versions: Iterable[tuple[str, int]]) -> list[list[str | int]]:
    return [list(each) for each in sorted(versions)]
