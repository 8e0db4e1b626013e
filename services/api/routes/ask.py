"""`POST /v1/ask`: as JSON, or as server-sent events."""

import json
from collections.abc import Generator

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sse_starlette.sse import EventSourceResponse

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.errors import ZhikuError
from services.api.dependencies import CallerDep, LimitsDep, PlatformDep, TraceIdDep
from services.api.gaps import gaps
from services.api.schemas.ask import AskAnswer, AskBody, CitationOut, RetrievalEvent, TokenEvent
from services.api.schemas.problem import problems
from services.api.streaming import ServerEvent, event_stream
from services.limits.rules import asked_of
from services.query.answer import Answer, Event, Retrieved, Said
from services.query.conversation import earlier_turns, remember
from services.query.record import recorded_ask

router = APIRouter(tags=["ask"])

_log = structlog.get_logger(__name__)

_STREAM = {
    "description": "The answer; with `stream: true` events `retrieval`, `token`, `citation`, then `done` or `error`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.post("/v1/ask", summary="Ask a question", response_model=AskAnswer, responses={200: _STREAM, **problems(404)})
def ask_question(
    body: AskBody, platform: PlatformDep, caller: CallerDep, limits: LimitsDep, trace_id: TraceIdDep
) -> AskAnswer | EventSourceResponse:
    """An answer from what you may read: every statement carries the marker of a quote that confirms it.

    Text is sent only after it was verified. If the documents don't say, `abstained` is true.
    """
    with limits.admit(model=asked_of(platform, body.model), answers=True) as admission:
        history = earlier_turns(platform.database, caller, body.conversation_id)
        events = recorded_ask(
            platform,
            caller,
            body.request(history),
            streamed=body.stream,
            lists_passages=body.stream,
            may_ask=admission.may_ask,
        )
        retrieved = next(events)  # whatever can be refused is refused here, with a status of its own
        incomplete = gaps(platform, caller, retrieved.found, body.spaces) if isinstance(retrieved, Retrieved) else []
        if isinstance(retrieved, Retrieved) and retrieved.question is not None:
            body = body.model_copy(update={"question": retrieved.question})  # what a filter masked is not remembered
        if body.stream:
            sent = _stream(platform, caller, body, trace_id, incomplete, retrieved, events)
            return event_stream(admission.hold(sent))
        answer = next(event for event in events if isinstance(event, Answer))
    return _finish(platform, caller, body, trace_id, incomplete, answer)


def _stream(
    platform: Platform,
    caller: Caller,
    body: AskBody,
    trace_id: str,
    incomplete: list[str],
    retrieved: Event,
    events: Generator[Event, None, None],
) -> Generator[ServerEvent, None, None]:
    try:
        if isinstance(retrieved, Retrieved):
            yield _event("retrieval", RetrievalEvent.of(retrieved, trace_id))
        for event in events:
            if isinstance(event, Said):
                yield _event("token", TokenEvent(text=event.text))
                for citation in event.citations:
                    yield _event("citation", CitationOut.of(citation))
            elif isinstance(event, Answer):
                yield _event("done", _finish(platform, caller, body, trace_id, incomplete, event))
    except ZhikuError as error:
        _log.warning("stream failed", code=error.code, detail=error.detail)
        problem = {"code": error.code, "status": error.status, "title": error.title, "detail": error.detail}
        yield {"event": "error", "data": json.dumps({**problem, "trace_id": trace_id}, ensure_ascii=False)}
    finally:
        events.close()


def _finish(
    platform: Platform, caller: Caller, body: AskBody, trace_id: str, incomplete: list[str], answer: Answer
) -> AskAnswer:
    conversation = remember(platform.database, caller, body.conversation_id, body.question, answer, trace_id)
    experimental = platform.weakness(answer.model).experimental
    return AskAnswer.of(answer, conversation, trace_id, incomplete, experimental=experimental)


def _event(name: str, data: BaseModel) -> ServerEvent:
    return {"event": name, "data": data.model_dump_json()}
