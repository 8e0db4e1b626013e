"""The question path as people use it: the pipeline, with its trace on record before anything of it is shown.

Evaluations ask the pipeline itself and leave no trace. What cannot be recorded is not shown: `AclUnavailable`.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from time import perf_counter

import structlog

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.domain.trace import Prompted, Trace, TracedAnswer
from kbcore.errors import Unavailable, ZhikuError
from kbcore.llm.interface import Usage
from kbcore.metadata.api_keys import present_caller
from kbcore.metadata.passages import readable_documents
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
    (the generator is closed) is recorded as that. A model may take minutes: before anything is shown it is asked again
    whether the caller may read what it stands on. Raises `Unavailable` (`access_changed`) if not.
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
    said: list[Said] = []
    code: str | None = None
    try:
        yield retrieved
        for event in events:
            if isinstance(event, Answer) or (streamed and isinstance(event, Said)):
                _still_readable(platform, caller, retrieved.found)
            if isinstance(event, Prompted):
                prompts.append(event)
            elif isinstance(event, Said):
                said.append(event)
            elif isinstance(event, Answer):
                recording.end(answered(prompts, event, (perf_counter() - begun) * 1000))
            yield event
    except Exception as error:
        code = error.code if isinstance(error, ZhikuError) else ZhikuError.code
        raise
    finally:
        events.close()
        if recording.open:
            shown_quotes = [citation for each in said for citation in each.citations] if streamed else []
            usage = _read_and_written(platform, request, retrieved.found, prompts, said) if code is None else Usage()
            took = (perf_counter() - begun) * 1000
            recording.end_quietly(broken_off(prompts, shown_quotes, took, error_code=code, usage=usage))


def _still_readable(platform: Platform, caller: Caller, found: Found) -> None:
    """Return if the caller's key counts and all that was found may be read, at this moment."""
    documents = sorted({item.passage.document_id for item in found.ranked})
    with platform.database.snapshot() as connection:
        there = present_caller(connection, caller) is not None
        readable = readable_documents(connection, caller.user_id, documents)
    if not there or not readable.issuperset(documents):
        raise Unavailable("What you may read changed while this was answered; ask again.", code="access_changed")


def _read_and_written(
    platform: Platform, request: AskRequest, found: Found, prompts: Sequence[Prompted], said: Sequence[Said]
) -> Usage:
    """What the last model asked has cost so far, by the embedding model's tokenizer: it had no time to say it."""
    if not prompts:
        return Usage()
    passages = [found.ranked[number - 1].passage.text for number in prompts[-1].context]
    read = [request.question, *(text for pair in request.history for text in pair), *passages]
    count_tokens = platform.embedder.count_tokens
    return Usage(sum(count_tokens(read)), sum(count_tokens([each.text for each in said])))


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

    @property
    def open(self) -> bool:
        """True until it has been ended."""
        return not self._ended

    def end_quietly(self, answer: TracedAnswer) -> None:
        """The same for an answer that nobody gets any more: a failure here is only logged."""
        try:
            self.end(answer)
        except ZhikuError as error:
            _log.warning("the end of an answer could not be recorded", trace=self._trace.id, detail=error.detail)
