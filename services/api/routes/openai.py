"""`/v1/chat/completions`, `/v1/models`, `/v1/embeddings`: OpenAI's API, so that its clients work unchanged."""

import base64
import json
import time
from collections.abc import Generator, Iterable, Iterator

import numpy as np
from fastapi import APIRouter
from sse_starlette.sse import EventSourceResponse

from kbcore.bootstrap import Platform
from kbcore.domain.ids import new_id
from kbcore.errors import NotFound, ZhikuError
from kbcore.llm.routing import AUTOMATIC
from kbcore.metadata import usage
from kbcore.metadata.usage import Use
from services.api.dependencies import CallerDep, LimitsDep, PlatformDep
from services.api.schemas import openai as shapes
from services.api.schemas.ask import UsageOut
from services.api.schemas.problem import foreign_errors
from services.api.streaming import ServerEvent, event_stream
from services.limits.costs import count
from services.limits.rules import asked_of
from services.query.answer import Answer, Event, Said
from services.query.record import recorded_ask
from services.query.request import AskRequest

router = APIRouter(tags=["openai"])

_MOST_TEXTS = 2048
"""As OpenAI has it; LangChain sends 1,000 at a time. What a body may hold bounds the work."""

_STREAM = {
    "description": "The completion; with `stream: true` chunks, the one with the finish reason has `citations` and the "
    "like; then `[DONE]`.",
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
        temperature=body.temperature or 0.0,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stop,
    )
    with limits.admit(model=asked_of(platform, body.model), answers=True) as admission:
        events = recorded_ask(platform, caller, request, streamed=bool(body.stream), may_ask=admission.may_ask)
        next(events)  # whatever can be refused is refused here, with a status of its own
        reply = _Reply(platform, body.model, with_usage=body.wants_usage)
        if body.stream:
            return event_stream(admission.hold(_stream(reply, events)))
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
        raise shapes.ParameterError("dimensions", f"`dimensions` must be {embedder.dimension}")
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

    def __init__(self, platform: Platform, model: str, *, with_usage: bool) -> None:
        self._platform = platform
        self._head = {"id": f"chatcmpl-{new_id()}", "created": int(time.time()), "model": model}
        self._with_usage = with_usage

    def whole(self, answer: Answer) -> shapes.ChatCompletion:
        """The completion at once."""
        message = shapes.AssistantMessage.of(answer, experimental=self._weak(answer), content=answer.text)
        choice = shapes.Choice(message=message, finish_reason=_finish_reason(answer))
        return shapes.ChatCompletion(**self._head, choices=[choice], usage=UsageOut.of(answer.usage))

    def chunks(self, events: Iterable[Event]) -> Iterator[shapes.ChatChunk]:
        """The completion bit by bit."""
        yield self._chunk(shapes.ChunkChoice(delta=shapes.RoleDelta()))
        for event in events:
            if isinstance(event, Said):
                yield self._chunk(shapes.ChunkChoice(delta=shapes.TextDelta(content=event.text)))
            elif isinstance(event, Answer):
                delta = shapes.OwnFields.of(event, experimental=self._weak(event))
                yield self._chunk(shapes.ChunkChoice(delta=delta, finish_reason=_finish_reason(event)))
                if self._with_usage:
                    yield shapes.ChatChunkOfUsage(**self._head, choices=[], usage=UsageOut.of(event.usage))

    def _weak(self, answer: Answer) -> bool:
        return self._platform.weakness(answer.model).experimental

    def _chunk(self, choice: shapes.ChunkChoice) -> shapes.ChatChunk:
        kind = shapes.ChatChunkOfUsage if self._with_usage else shapes.ChatChunk
        return kind(**self._head, choices=[choice])


def _stream(reply: _Reply, events: Generator[Event, None, None]) -> Generator[ServerEvent, None, None]:
    try:
        for chunk in reply.chunks(events):
            yield {"data": chunk.model_dump_json()}
        yield {"data": "[DONE]"}
    except ZhikuError as error:
        problem = {"message": error.detail, "type": "server_error", "param": None, "code": error.code}
        yield {"data": json.dumps({"error": problem}, ensure_ascii=False)}
    finally:
        events.close()


def _finish_reason(answer: Answer) -> shapes.FinishReason:
    return "length" if answer.finish_reason == "length" else "stop"
