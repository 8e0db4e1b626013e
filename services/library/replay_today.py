"""What would differ if a question were asked now, with its asker's present rights; for a reader of the trace."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.domain.trace import Trace
from kbcore.errors import RequestError
from kbcore.language.frame import question_language
from kbcore.llm.interface import AnswerRequest
from kbcore.llm.routing import choose
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.passages import readable_documents
from kbcore.metadata.places import Place
from kbcore.metadata.standpoint import AsOf, Narrowing
from kbcore.settings import AnswerSettings
from services.query.abstain import too_weak
from services.query.found import Found
from services.query.pipeline import search
from services.query.request import AskRequest, Mode, SearchRequest
from services.query.secrecy import level_of


@dataclass(frozen=True, slots=True)
class Passages:
    """Passages by place: those that the reader may read now, and how many others."""

    shown: tuple[Place, ...]
    withheld: int


@dataclass(frozen=True, slots=True)
class Today:
    """`unreadable` are passages of then that the asker may not read now, `not_found` those that it may and that are not
    found any more, `added` those found now. `model` and `same_template` are None for a search."""

    epoch: int
    index: int | None
    same_index: bool
    model: str | None
    same_model: bool | None
    same_template: bool | None
    abstains: str | None
    unreadable: Passages
    not_found: Passages
    added: Passages


def asked_today(platform: Platform, reader: Caller, trace: Trace) -> tuple[Today | None, str | None]:
    """What would differ, or why that cannot be said. Searches as the asker, and leaves no trace of it.

    Raises `Unavailable` where a search does.
    """
    if not trace.question:
        return None, "question_erased"
    with platform.database.snapshot() as connection:
        asker = resolve_caller(connection, trace.user_id)
    if asker is None:
        return None, "asker_inactive"
    if trace.acting is not None or reader.acting_id is not None:
        asker = replace(asker, is_admin=False)  # whoever is acted for is in charge of nothing
    question = str(trace.asked.get("standalone") or trace.question)
    try:
        found = search(platform, asker, request_today(trace, question, platform.settings.answer))
    except RequestError as error:
        return None, error.code
    then = [(each.document_id, each.version, each.start, each.end) for each in trace.passages]
    now = [(p.document_id, p.version, p.start, p.end) for p in (item.passage for item in found.ranked)]
    with platform.database.snapshot() as connection:
        documents = sorted({place[0] for place in (*then, *now)})
        theirs = readable_documents(connection, asker.user_id, documents)
        mine = readable_documents(connection, reader.user_id, documents)
    index = None if found.standpoint.index is None else found.standpoint.index.id
    prompted = trace.answer.prompts[0] if trace.answer is not None and trace.answer.prompts else None
    model, template = _model(platform, trace, question, _level(platform, found))
    return Today(
        epoch=found.standpoint.epoch,
        index=index,
        same_index=index == trace.generation_id,
        model=model,
        same_model=None if prompted is None else model == prompted.model,
        same_template=None if prompted is None else template == prompted.template_hash,
        abstains=None if model is None else _abstains(platform, question, found),
        unreadable=_told((place for place in then if place[0] not in theirs), mine),
        not_found=_told((place for place in then if place[0] in theirs and place not in now), mine),
        added=_told((place for place in now if place not in then), mine),
    ), None


def _abstains(platform: Platform, question: str, found: Found) -> str | None:
    return too_weak(question, found.ranked, platform.settings.answer, found.understood.searched)


def _model(platform: Platform, trace: Trace, question: str, level: Classification) -> tuple[str | None, str | None]:
    """Name and template of the model that would be asked now with passages of this classification."""
    if trace.answer is None:
        return None, None
    try:
        route = choose(platform.answer_models, trace.asked.get("model"), platform.model_order, level)
    except RequestError:
        return None, None
    prompt = route.model.prompt(AnswerRequest(question, question_language(question), ()))
    return route.model.name, prompt.template_hash


def _level(platform: Platform, found: Found) -> Classification:
    """Of the question and of what is found for it now; what was said before counts no more."""
    return level_of(AskRequest(""), found, platform.settings.llm)


def request_today(trace: Trace, question: str, settings: AnswerSettings) -> SearchRequest:
    """The search that the trace is of, to be made once more.

    A question that followed others may quote them, and nobody can say any more how secret they were.
    """
    asked: Mapping[str, Any] = trace.asked
    spaces, as_of = asked["spaces"], asked["as_of"]
    return SearchRequest(
        query=question,
        top_k=asked.get("top_k") or settings.passages,
        mode=Mode(asked.get("mode", Mode.HYBRID)),
        narrowing=Narrowing(
            spaces=None if spaces is None else tuple(spaces),
            tags=tuple(asked["tags"]),
            language=asked["language"],
            metadata=asked["metadata"],
        ),
        as_of=AsOf(
            time=_moment(as_of["time"]),
            snapshot=as_of["snapshot"],
            epoch=as_of["epoch"],
            effective_at=_moment(as_of["effective_at"]),
        ),
        rerank=asked.get("rerank", True),
        thread_level=Classification.PUBLIC if trace.history == () else Classification.RESTRICTED,
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _told(places: Iterable[Place], readable: frozenset[str]) -> Passages:
    every = list(places)
    shown = tuple(place for place in every if place[0] in readable)
    return Passages(shown, len(every) - len(shown))
