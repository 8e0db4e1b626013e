"""The question path as people use it: the pipeline, with its trace on record before anything of it is shown.

Evaluations ask the pipeline itself and leave no trace. What cannot be recorded is not shown: `AclUnavailable`.
"""

from collections.abc import Callable, Collection, Generator
from dataclasses import replace
from time import perf_counter

import structlog

from kbcore.bootstrap import Platform
from kbcore.domain.conversation import Citation
from kbcore.domain.principal import Caller
from kbcore.domain.trace import Prompted, Trace, TracedAnswer
from kbcore.errors import ZhikuError
from services.limits.asking import MayAsk, any_model
from services.limits.costs import count, use_of_answer
from services.query.answer import Answer, Event, Retrieved, Said
from services.query.found import Found, Ranked
from services.query.pipeline import ask, search
from services.query.request import AskRequest, SearchRequest
from services.query.trace import (
    answer_events,
    answered,
    broken_off,
    retrieval_event,
    trace_of_question,
    trace_of_search,
)
from services.query.understand.history import within_budget

_log = structlog.get_logger(__name__)


def recorded_search(
    platform: Platform,
    caller: Caller,
    request: SearchRequest,
    *,
    shows: Callable[[Ranked], bool] = lambda _: True,
) -> Found:
    """`search`, on record. `shows` says which of the passages the caller's answer contains."""
    found = search(platform, caller, request)
    trace = trace_of_search(caller, request, found)
    shown = {item.passage.chunk_id for item in found.ranked if shows(item)}
    platform.traces.begin(trace, retrieval_event(caller, trace, platform.audit.key, shown))
    return found


def recorded_ask(
    platform: Platform,
    caller: Caller,
    request: AskRequest,
    *,
    streamed: bool,
    lists_passages: bool = False,
    may_ask: MayAsk = any_model,
) -> Generator[Event, None, None]:
    """`ask`, on record: all of it before `Answer`; if it is streamed, the retrieval before `Retrieved` already.

    `lists_passages` = the client is told which passages were retrieved. An answer that fails or whose client goes away
    (the generator is closed) is recorded as that.
    """
    begun = perf_counter()
    budget = platform.settings.answer.history_tokens
    request = replace(request, history=within_budget(request.history, budget, platform.embedder.count_tokens))
    events = ask(platform, caller, request, remembers=True, may_ask=may_ask)
    retrieved = next(events)
    assert isinstance(retrieved, Retrieved)
    trace = trace_of_question(caller, request, retrieved)
    shown = {item.passage.chunk_id for item in retrieved.found.ranked} if lists_passages else frozenset()
    recording = _Recording(platform, caller, trace, shown)
    if streamed:
        recording.begin()
    prompts: list[Prompted] = []
    citations: list[Citation] = []
    code: str | None = None
    try:
        yield retrieved
        for event in events:
            if isinstance(event, Prompted):
                prompts.append(event)
            elif isinstance(event, Said):
                citations.extend(event.citations)
            elif isinstance(event, Answer):
                recording.end(answered(prompts, event, (perf_counter() - begun) * 1000))
            yield event
    except Exception as error:
        code = error.code if isinstance(error, ZhikuError) else ZhikuError.code
        raise
    finally:
        events.close()
        recording.end_if_open(broken_off(prompts, citations if streamed else (), (perf_counter() - begun) * 1000, code))


class _Recording:
    """One answer's row: begun and ended in two transactions, or in one if it is ended without having begun."""

    def __init__(self, platform: Platform, caller: Caller, trace: Trace, shown: Collection[str]) -> None:
        self._platform, self._caller, self._trace = platform, caller, trace
        self._retrieval = retrieval_event(caller, trace, platform.audit.key, shown)
        self._begun = self._ended = False

    def begin(self) -> None:
        """Keep what was retrieved."""
        self._platform.traces.begin(self._trace, self._retrieval)
        self._begun = True

    def end(self, answer: TracedAnswer) -> None:
        """Keep how it ended, and what was retrieved if that is not yet kept."""
        self._ended = True
        events = answer_events(self._caller, self._trace, answer)
        if not self._begun:
            events = [self._retrieval, *events]
        used = use_of_answer(self._platform.settings, self._trace, answer)
        self._platform.traces.end(self._trace, answer, *events, begun=self._begun, used=used)
        count(used)

    def end_if_open(self, answer: TracedAnswer) -> None:
        """The same for an answer that nobody gets any more: a failure here is only logged."""
        if self._ended:
            return
        try:
            self.end(answer)
        except ZhikuError as error:
            _log.warning("the end of an answer could not be recorded", trace=self._trace.id, detail=error.detail)
