"""`/v1/chat/completions`, `/v1/models`, `/v1/embeddings`: OpenAI's API, so that its clients work unchanged."""

import base64
import json
import time
from collections.abc import Generator

import numpy as np
from fastapi import APIRouter
from sse_starlette.sse import EventSourceResponse

from kbcore.bootstrap import Platform
from kbcore.domain.ids import new_id
from kbcore.errors import NotFound, RequestError, ZhikuError
from kbcore.llm.routing import AUTOMATIC
from kbcore.metadata import usage
from kbcore.metadata.usage import Use
from services.api.dependencies import CallerDep, LimitsDep, PlatformDep
from services.api.schemas import openai as shapes
from services.api.schemas.ask import CitationOut, UsageOut
from services.api.schemas.problem import foreign_errors
from services.api.streaming import ServerEvent, event_stream
from services.limits.costs import count
from services.limits.rules import asked_of
from services.query.answer import Answer, Event, Said
from services.query.record import recorded_ask
from services.query.request import AskRequest

router = APIRouter(tags=["openai"])

_MOST_TEXTS = 256

_STREAM = {
    "description": "The completion; with `stream: true` chunks, the last of which carries `citations`, then `[DONE]`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.post(
    "/v1/chat/completions",
    summary="Ask, as a chat completion",
    response_model=shapes.ChatCompletion,
    responses={200: _STREAM, **foreign_errors(shapes.OpenAIErrorBody, 400, 404)},
)
def complete_chat(
    body: shapes.ChatBody, platform: PlatformDep, caller: CallerDep, limits: LimitsDep
) -> shapes.ChatCompletion | EventSourceResponse:
    """The last user message is the question, earlier ones are its history. Nothing is remembered on the server."""
    body.refuse_unsupported()
    question, history = body.thread()
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    request = AskRequest(
        question=question,
        model=body.model,
        history=history,
        history_level=caller.clearance,  # what the client sends may be of anything that the caller reads
        temperature=body.temperature,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stop,
    )
    with limits.admit(model=asked_of(platform, body.model), answers=True) as admission:
        events = recorded_ask(platform, caller, request, streamed=body.stream, may_ask=admission.may_ask)
        next(events)  # whatever can be refused is refused here, with a status of its own
        reply = _Reply(body.model)
        if body.stream:
            usage_wanted = body.stream_options is not None and body.stream_options.include_usage
            return event_stream(admission.hold(_stream(reply, events, usage_wanted=usage_wanted)))
        return reply.whole(next(event for event in events if isinstance(event, Answer)))


@router.get("/v1/models", summary="List the models that can be asked", responses=foreign_errors(shapes.OpenAIErrorBody))
def list_models(platform: PlatformDep, _caller: CallerDep) -> shapes.ModelList:
    """`zhiku` lets routing decide; the last one is the embedding model."""
    names = [AUTOMATIC, *platform.answer_models, platform.embedding_model.name]
    return shapes.ModelList(data=[_model(platform, name) for name in names])


@router.get(
    "/v1/models/{model_id:path}", summary="Look up a model", responses=foreign_errors(shapes.OpenAIErrorBody, 404)
)
def read_model(model_id: str, platform: PlatformDep, _caller: CallerDep) -> shapes.Model:
    """One of the list."""
    if model_id not in {AUTOMATIC, *platform.answer_models, platform.embedding_model.name}:
        raise NotFound("model")
    return _model(platform, model_id)


def _model(platform: Platform, name: str) -> shapes.Model:
    return shapes.Model(id=name, experimental=platform.weakness(name).experimental)


@router.post(
    "/v1/embeddings",
    summary="Embed texts with the model of the index",
    responses=foreign_errors(shapes.OpenAIErrorBody, 400, 404),
)
def embed(
    body: shapes.EmbeddingsBody, platform: PlatformDep, caller: CallerDep, limits: LimitsDep
) -> shapes.EmbeddingList:
    """Unit vectors; texts longer than the model reads are cut."""
    limits.admit()
    begun = time.perf_counter()
    embedder = platform.embedding_model
    if body.model not in (embedder.name, AUTOMATIC):
        raise NotFound("model")
    if body.dimensions not in (None, embedder.dimension):
        raise RequestError(f"`dimensions` must be {embedder.dimension}", code=shapes.UNSUPPORTED)
    texts = body.texts(_MOST_TEXTS)
    if body.input_type == "query":
        vectors = np.stack([embedder.embed_query(text) for text in texts])
    else:
        vectors = embedder.embed_passages(texts)
    tokens = sum(embedder.count_tokens(texts))
    used = Use(caller.user_id, embedder.name, tokens, 0, 0, round((time.perf_counter() - begun) * 1000))
    with platform.database.begin() as connection:
        usage.add(connection, [used])
    count(used)
    return shapes.EmbeddingList(
        data=[
            shapes.Embedding(index=index, embedding=_encoded(vector, body.encoding_format))
            for index, vector in enumerate(vectors)
        ],
        model=embedder.name,
        usage=shapes.EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _encoded(vector: np.ndarray, encoding: str) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers


class _Reply:
    """One completion: all its parts carry the same id, time and model name."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{new_id()}", "created": int(time.time()), "model": model}

    def whole(self, answer: Answer) -> shapes.ChatCompletion:
        """The completion at once."""
        message = shapes.AssistantMessage(content=answer.text, citations=_citations(answer))
        choice = shapes.Choice(message=message, finish_reason=_finish_reason(answer))
        return shapes.ChatCompletion(**self._head, choices=[choice], usage=UsageOut.of(answer.usage))

    def chunk(self, delta: shapes.Delta, answer: Answer | None = None) -> ServerEvent:
        """A chunk; with the finished answer it is the last one that has a choice."""
        choice = shapes.ChunkChoice(delta=delta, finish_reason=None if answer is None else _finish_reason(answer))
        chunk = shapes.ChatChunk(**self._head, choices=[choice])
        return {"data": chunk.model_dump_json(exclude={"usage"}, exclude_none=answer is None)}

    def usage(self, answer: Answer) -> ServerEvent:
        """The chunk that only carries the usage."""
        chunk = shapes.ChatChunk(**self._head, choices=[], usage=UsageOut.of(answer.usage))
        return {"data": chunk.model_dump_json()}


def _stream(
    reply: _Reply, events: Generator[Event, None, None], *, usage_wanted: bool
) -> Generator[ServerEvent, None, None]:
    try:
        yield reply.chunk(shapes.Delta(role="assistant", content=""))
        for event in events:
            if isinstance(event, Said):
                yield reply.chunk(shapes.Delta(content=event.text))
            elif isinstance(event, Answer):
                yield reply.chunk(shapes.Delta(citations=_citations(event)), event)
                if usage_wanted:
                    yield reply.usage(event)
        yield {"data": "[DONE]"}
    except ZhikuError as error:
        problem = {"message": error.detail, "type": "server_error", "param": None, "code": error.code}
        yield {"data": json.dumps({"error": problem}, ensure_ascii=False)}
    finally:
        events.close()


def _citations(answer: Answer) -> list[CitationOut]:
    return [CitationOut.of(citation) for citation in answer.citations]


def _finish_reason(answer: Answer) -> shapes.FinishReason:
    return "length" if answer.finish_reason == "length" else "stop"
