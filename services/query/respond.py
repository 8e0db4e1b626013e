"""Respond: from confirmed passages to the finished answer, whichever model writes it, or to "I don't know"."""

from collections.abc import Callable, Generator, Sequence

import structlog

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.trace import Prompted
from kbcore.errors import Unavailable
from kbcore.language.frame import question_language
from kbcore.llm.interface import AnswerRequest, Source, Usage
from kbcore.llm.routing import Route
from services.guard.configured import guard_of
from services.limits.asking import MayAsk
from services.query.abstain import abstention
from services.query.agreement import Similarity
from services.query.answer import Answer, Event, Said, count_answer
from services.query.assemble import assemble
from services.query.cite import Citer
from services.query.conflict_notice import fits_into, show_conflict
from services.query.conflicts import Conflict, find_conflict
from services.query.found import Found
from services.query.generate import Outcome
from services.query.guarded import Guarded, may_quote
from services.query.quotes_below import explained, write
from services.query.request import AskRequest

_log = structlog.get_logger(__name__)


def abstain(
    platform: Platform,
    question: str,
    found: Found,
    reason: str,
    route: Route,
    level: Classification,
    usage: Usage,
    guarded: Guarded | None = None,
) -> Generator[Event, None, None]:
    """Say that the documents do not say, and which came closest; `guarded` if a model was asked."""
    text, named = abstention(question, reason, found.ranked)
    if named and not may_quote(platform, text, level):
        text, named = abstention(question, reason, ())
    yield Said(text)
    answer = Answer(
        text=text,
        citations=(),
        abstained=True,
        reason=reason,
        model=route.model.name,
        routed_because=route.because,
        epoch=found.standpoint.epoch,
        as_of=found.moment,
        usage=usage,
        named=named,
        dropped={} if guarded is None else guarded.dropped,
        masked={} if guarded is None else guarded.masked,
    )
    count_answer(answer)
    yield answer


def respond(
    platform: Platform,
    request: AskRequest,
    question: str,
    found: Found,
    route: Route,
    level: Classification,
    may_ask: MayAsk,
) -> Generator[Event, None, None]:
    """Let the first of the route's models write; one that does not answer is followed by the next, which is said.

    So is one that has reached its limit (`may_ask`). `level` is the highest of all that the model is sent.
    """
    sources = assemble(found.ranked)
    conflict = find_conflict(question, found.ranked, guard_of(platform).taints(sources))
    writing = _writing(request, question, found, sources, conflict)
    citer = Citer([item.passage for item in found.ranked], question, _similarity(platform))
    outcome = Outcome()
    guarded = Guarded(platform, writing, [item.passage for item in found.ranked], level, _similarity(platform))
    route = yield from _write(platform, route, writing, citer, outcome, guarded, may_ask)
    shown = yield from show_conflict(
        question, conflict, route.model.name, citer, outcome, fits_into(writing, _tokens(platform)), guarded.may_quote
    )
    usage = outcome.usage or _counted(platform, writing, outcome)
    cut_by_asker = outcome.finish_reason == "length" and request.max_tokens is not None
    if not outcome.text and outcome.reason and not cut_by_asker:
        yield from abstain(platform, question, found, outcome.reason, explained(route, outcome), level, usage, guarded)
        return
    answer = Answer(
        text=outcome.text,
        citations=citer.citations,
        abstained=False,
        reason=outcome.reason,
        model=route.model.name,
        routed_because=explained(route, outcome).because,
        epoch=found.standpoint.epoch,
        as_of=found.moment,
        usage=usage,
        finish_reason=outcome.finish_reason,
        dropped=guarded.dropped,
        masked=guarded.masked,
        conflict=shown,
    )
    count_answer(answer)
    yield answer


def _writing(
    request: AskRequest, question: str, found: Found, sources: Sequence[Source], conflict: Conflict | None
) -> AnswerRequest:
    return AnswerRequest(
        question=question,
        language=question_language(question),
        sources=sources,
        history=tuple(pair for pair in request.history if pair[1]),
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        stop=request.stop,
        focus=request.question if question != request.question else "",
        searched=found.understood.searched,
        conflict=() if conflict is None else tuple((side.number, side.day) for side in conflict.sides),
    )


def _write(
    platform: Platform,
    route: Route,
    writing: AnswerRequest,
    citer: Citer,
    outcome: Outcome,
    guarded: Guarded,
    may_ask: MayAsk,
) -> Generator[Event, None, Route]:
    """Fill `outcome`; returns the route of the model that did. Raises `Unavailable` if the last one fails, too."""
    while True:
        if not may_ask(route.model.name) and (rest := route.after(f"{route.model.name} is asked too often")):
            route = rest
            continue
        yield _prompted(guarded, route, writing)
        try:
            yield from write(
                platform,
                route.model,
                writing,
                _tokens(platform),
                outcome,
                lambda model: guarded.generate(model, citer, _tokens(platform), outcome),
                guarded.quotes,
            )
        except Unavailable as error:
            rest = route.after(error.detail)
            if rest is None:
                raise
            _log.warning("answer_model_unavailable", model=route.model.name, detail=error.detail)
            route = rest
            outcome.begin_again()
        else:
            return route


def _prompted(guarded: Guarded, route: Route, writing: AnswerRequest) -> Prompted:
    prompt = guarded.model(route.model).prompt(writing)
    numbers = tuple(source.number for source in writing.sources)
    return Prompted(
        route.model.name, route.because, prompt.hash, prompt.template_hash, numbers, prompt.numbers, writing.conflict
    )


def _similarity(platform: Platform) -> Similarity:
    def cosines(statement: str, candidates: Sequence[str]) -> Sequence[float]:
        vectors = platform.embedder.embed_passages([statement, *candidates])
        return [float(value) for value in vectors[1:] @ vectors[0]]

    return cosines


def _tokens(platform: Platform) -> Callable[[str], int]:
    return lambda text: platform.embedder.count_tokens([text])[0]


def _counted(platform: Platform, writing: AnswerRequest, outcome: Outcome) -> Usage:
    """Where the model does not say: counted with the embedding model's tokenizer."""
    read = [writing.question, *(source.text for source in writing.sources)]
    return Usage(sum(platform.embedder.count_tokens(read)), _tokens(platform)(outcome.text))
