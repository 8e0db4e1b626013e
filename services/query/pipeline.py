"""The question path: authenticate → screen → understand → retrieve → check → rerank → generate → cite.

The API authenticates and hands over a `Caller`; the other stages stand below, in order, each in a file of its name
(`generate` and `cite` run inside `respond`).
"""

from collections.abc import Generator
from time import perf_counter

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Passage
from kbcore.domain.principal import Caller
from kbcore.errors import Unprocessable
from kbcore.llm.interface import Usage
from kbcore.llm.routing import choose, known
from kbcore.metadata.standpoint import Standpoint
from kbcore.observability.metrics import search_stage_seconds
from services.limits.asking import MayAsk, any_model
from services.query.abstain import too_weak
from services.query.answer import Event, Retrieved
from services.query.check import check, dense_scores, keyword_scores
from services.query.found import Candidates, Found, QueryVectors, Timings
from services.query.rank import rank
from services.query.remembered import given_again
from services.query.request import AskRequest, Mode, SearchRequest
from services.query.rerank import rerank
from services.query.respond import abstain, respond
from services.query.retrieve import analyse, candidates, embed, stand, weigh
from services.query.screen import noted, refuse, screen
from services.query.secrecy import level_of, level_of_question
from services.query.understand.dated import dated
from services.query.understand.look import look_again
from services.query.understand.question import standalone
from services.query.understand.rewriter import rewriter


def search(platform: Platform, caller: Caller, request: SearchRequest) -> Found:
    """The best passages that this caller may read, best first, at most `top_k`.

    Raises `Unprocessable` for a question that is empty or too long, `NotFound("space")`, `Unavailable` (embedding
    model, index) and `AclUnavailable` (SQL): never a partial result.
    """
    settings = platform.settings.retrieval
    if not request.query.strip():
        raise Unprocessable("the question is empty", code="empty_query")
    if len(request.query) > settings.max_query_chars:
        raise Unprocessable(
            f"the question has {len(request.query)} characters; the limit is {settings.max_query_chars}",
            code="query_too_long",
        )
    return look_again(platform, caller, request, lambda each: _look(platform, caller, each))


def _look(platform: Platform, caller: Caller, request: SearchRequest) -> Found:
    """Retrieve, check, rank and rerank, once."""
    settings = platform.settings.retrieval
    clock = _Clock()
    words = {} if request.mode is Mode.DENSE else analyse(request.query)
    standpoint = stand(platform, caller, words, request)
    clock.lap("search")
    query = QueryVectors(embed(platform, standpoint, request), weigh(words, standpoint, request))
    clock.lap("embed")
    passages, hits = _confirmed(platform, caller, request, standpoint, query, clock)
    keyword = keyword_scores(passages, query)
    ranked = rank(passages, dense_scores(passages, query), keyword, request.mode, settings)
    clock.lap("check")
    if request.rerank:
        level = level_of_question(request, platform.settings.llm)
        ranked = rerank(platform.reranker, request.query, ranked[: settings.candidates], level=level)
    confirmed = {passage.chunk_id for passage in passages}
    refused = tuple(chunk_id for chunk_id in hits.chunk_ids if chunk_id not in confirmed)
    return Found(tuple(ranked[: request.top_k]), standpoint, request.as_of, clock.timings(), hits.legs, refused)


def ask(
    platform: Platform,
    caller: Caller,
    request: AskRequest,
    *,
    remembers: bool = False,
    may_ask: MayAsk = any_model,
) -> Generator[Event, None, None]:
    """Answer from what this caller may read: `Retrieved`, then `Said` for each verified statement, then `Answer`.

    Raises what `search` raises, and `NotFound("model")`, before the first event. Closing the generator stops the model.
    A model that `may_ask` forbids is passed over.

    With `remembers` an answer may be one that was given before, and is kept to be given again, if the settings say so.
    """
    settings = platform.settings.answer
    known(platform.answer_models, request.model)
    screened = screen(platform, request)
    request = screened.request
    asked = standalone(request, None if screened.refused else rewriter(platform, request, may_ask))
    question = asked.text
    wanted = _search_for(request, question, asked.follow_up, settings.passages)
    if screened.refused:
        yield from refuse(platform, caller, screened, wanted)
        return
    found = search(platform, caller, wanted)
    level = level_of(request, found, platform.settings.llm)
    route = choose(platform.answer_models, request.model, platform.model_order, level)
    yield Retrieved(found, question, question=request.question, filtered=screened.reason)
    if reason := too_weak(question, found.ranked, settings, found.understood.searched):
        events = abstain(platform, question, found, reason, route, level, Usage())
    else:
        events = respond(platform, request, question, found, route, level, may_ask)
        if remembers and not screened.reason:
            events = given_again(platform, caller, request, question, found, route, events)
    yield from noted(dated(events, question, found), screened.notice)


def _search_for(request: AskRequest, question: str, follow_up: str | None, passages: int) -> SearchRequest:
    return SearchRequest(
        question,
        passages,
        narrowing=request.narrowing,
        as_of=request.as_of,
        follow_up=follow_up,
        thread_level=request.thread_level,
    )


def _confirmed(
    platform: Platform,
    caller: Caller,
    request: SearchRequest,
    standpoint: Standpoint,
    query: QueryVectors,
    clock: "_Clock",
) -> tuple[list[Passage], Candidates]:
    """Retrieve and check; when the check leaves too few and the index has more, ask again for four times as many.

    Returns the passages, and what the last round named.
    """
    index, settings = standpoint.index, platform.settings.retrieval
    if index is None:
        return [], Candidates((), more=False)
    limit = max(settings.candidates, request.top_k)
    while True:
        found = candidates(platform, index, standpoint, query, request.mode, limit)
        clock.lap("search")
        passages = check(platform, caller, request, index, standpoint, found)
        clock.lap("check")
        if len(passages) >= request.top_k or not found.more or limit >= settings.max_candidates:
            return passages, found
        limit = min(limit * 4, settings.max_candidates)


class _Clock:
    """Sums the milliseconds of each stage, and of all."""

    def __init__(self) -> None:
        self._begun = self._last = perf_counter()
        self._spent = {"embed": 0.0, "search": 0.0, "check": 0.0}

    def lap(self, stage: str) -> None:
        """Count the time since the last lap as this stage's."""
        now = perf_counter()
        self._spent[stage] += (now - self._last) * 1000
        search_stage_seconds.labels(stage).observe(now - self._last)
        self._last = now

    def timings(self) -> Timings:
        """What has been spent so far."""
        return Timings(total=(perf_counter() - self._begun) * 1000, **self._spent)
