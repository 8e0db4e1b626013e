"""Traces as their readers may see them now: what a trace names is shown to those who may read the documents."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from kbcore.domain.principal import Caller
from kbcore.domain.trace import Trace, TracedPassage, document_of
from kbcore.errors import NotFound
from kbcore.metadata import traces
from kbcore.metadata.passages import readable_documents
from kbcore.metadata.places import texts_at

_MOST = 100
"""Traces that share one trace id and are listed."""


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage of a trace that its reader may read now. `number` counts from 1, as the model saw it."""

    number: int
    passage: TracedPassage
    title: str
    in_context: bool
    cited: bool


@dataclass(frozen=True, slots=True)
class ShownTrace:
    """A trace for one reader. `readable` are the documents of it that this one may read now; `request` is what was
    asked for beside the question, as far as it is shown.

    `refused` (rows that the check did not let through, those of readable documents), `refused_withheld` and `legs` are
    None for the asker: how many hidden passages match a question is not told.
    """

    trace: Trace
    same_trace: tuple[str, ...]
    question_shown: bool
    request: Mapping[str, Any] | None
    passages: tuple[ShownPassage, ...]
    withheld: int
    readable: frozenset[str]
    refused: tuple[str, ...] | None
    refused_withheld: int | None

    @property
    def reads_all(self) -> bool:
        """True if the reader may read all that was retrieved."""
        return not self.withheld


def find_trace(connection: Connection, caller: Caller, trace_id: str) -> tuple[Trace, tuple[str, ...]]:
    """The newest trace with this trace id (or the one with this id of its own) that the caller may see.

    And the ids of the others. Administrators and auditors see all, others their own. Raises `NotFound("trace")`.
    """
    owner = None if caller.is_trusted else caller.user_id
    found = traces.visible(connection, trace_id, owner=owner, limit=_MOST)
    if not found:
        raise NotFound("trace")
    return found[0], tuple(each.id for each in found[1:])


def show_trace(connection: Connection, caller: Caller, trace_id: str) -> ShownTrace:
    """A trace as the caller may see it now. Raises `NotFound("trace")`."""
    trace, others = find_trace(connection, caller, trace_id)
    readable = readable_documents(connection, caller.user_id, sorted(documents_in(trace)))
    mine = [each for each in enumerate(trace.passages, start=1) if each[1].document_id in readable]
    places = [(each.document_id, each.version, each.start, each.end) for _, each in mine]
    texts = texts_at(connection, places, trace.generation_id)
    context, cited = _used(trace)
    shown = tuple(
        ShownPassage(number, item, "" if text is None else text.shown_title, number in context, item.chunk_id in cited)
        for (number, item), text in zip(mine, texts, strict=True)
    )
    question_shown = may_see_question(caller, trace, readable)
    told = tuple(each for each in trace.refused if document_of(each)[0] in readable) if caller.is_trusted else None
    return ShownTrace(
        trace=trace,
        same_trace=others,
        question_shown=question_shown,
        request=_request(caller, trace) if question_shown else None,
        passages=shown,
        withheld=len(trace.passages) - len(shown),
        readable=readable,
        refused=told,
        refused_withheld=None if told is None else len(trace.refused) - len(told),
    )


def may_see_question(caller: Caller, trace: Trace, readable: Collection[str]) -> bool:
    """Its asker, while it is kept; an administrator or auditor who may read all that was retrieved and refused."""
    if not trace.question:
        return False
    if caller.user_id == trace.user_id:
        return True
    return caller.is_trusted and {*trace.documents, *trace.refused_documents} <= set(readable)


def may_see_earlier_questions(caller: Caller, trace: Trace) -> bool:
    """Its asker, or anybody if there are none in it: each was a question of its own, about documents of its own.

    A follow-up is searched, and a model asked, together with the questions that it follows.
    """
    return caller.user_id == trace.user_id or trace.asked.get("standalone") in (None, trace.question)


def documents_in(trace: Trace) -> set[str]:
    """Every document that a trace names."""
    answer = trace.answer
    said = set() if answer is None else {document for _, document, *_ in answer.cited} | set(answer.named)
    return {*trace.documents, *trace.refused_documents, *said}


def _request(caller: Caller, trace: Trace) -> Mapping[str, Any]:
    if may_see_earlier_questions(caller, trace):
        return trace.asked
    return {**trace.asked, "standalone": None}


def _used(trace: Trace) -> tuple[frozenset[int], frozenset[str]]:
    """Numbers of the passages that a model got, and chunk ids of those that were cited."""
    if trace.answer is None:
        return frozenset(), frozenset()
    context = frozenset(number for prompt in trace.answer.prompts[-1:] for number in prompt.context)
    return context, frozenset(chunk for chunk, *_ in trace.answer.cited)
