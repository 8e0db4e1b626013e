"""Screen: the content filters' word on a question, before anything is searched, kept or sent anywhere."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.language.script import detect_language
from kbcore.llm.interface import Usage
from kbcore.observability.metrics import answers, guarded
from services.guard.configured import guard_of
from services.guard.filters import Decision, Direction
from services.guard.guard import QUOTING, Guard
from services.query.answer import Answer, Event, Retrieved, Said
from services.query.found import Found, Timings
from services.query.request import AskRequest, SearchRequest
from services.query.retrieve import stand
from services.query.secrecy import level_of_question

FILTERED = "filtered"
"""The reason of an answer that a content filter refused."""

_REFUSED = {
    "zh": "抱歉，这个问题不符合使用规定，无法回答。",
    "en": "Sorry, this question is outside of what may be asked here.",
}


@dataclass(frozen=True, slots=True)
class Screened:
    """The question as it may go on (masked); `reason` is the filter's word, `notice` what the asker is told."""

    request: AskRequest
    refused: bool = False
    reason: str | None = None
    notice: str = ""


def screen(platform: Platform, request: AskRequest) -> Screened:
    """What the filters make of the question and of earlier ones. Raises `Unavailable` (`filter_unavailable`).

    A filter that may not see text of the level of this question does not see it, nor those before it.
    """
    guard = guard_of(platform)
    level = level_of_question(request, platform.settings.llm)
    verdict = guard.judge(request.question, Direction.IN, level)
    if verdict.decision is Decision.REFUSE:
        guarded.labels("question_refused", _bounded(verdict.reason)).inc()
        notice = verdict.notice or _REFUSED[_language(request.question)]
        return Screened(request, refused=True, reason=verdict.reason, notice=notice)
    history = tuple(_earlier(guard, pair, level) for pair in request.history)
    if verdict.decision is Decision.MASK:
        guarded.labels("question_masked", _bounded(verdict.reason)).inc()
        masked = replace(request, question=verdict.text, history=history)
        return Screened(masked, reason=verdict.reason, notice=verdict.notice)
    return Screened(replace(request, history=history))


def refuse(
    platform: Platform, caller: Caller, screened: Screened, wanted: SearchRequest
) -> Generator[Event, None, None]:
    """Say no, with the filter's sentence; nothing is searched."""
    answers.labels("abstained").inc()
    found = Found((), stand(platform, caller, {}, wanted), wanted.as_of, Timings(0, 0, 0, 0))
    question = screened.request.question
    yield Retrieved(found, question, question=question, filtered=screened.reason)
    yield Said(screened.notice)
    yield Answer(
        text=screened.notice,
        citations=(),
        abstained=True,
        reason=FILTERED,
        model=QUOTING,
        routed_because="a content filter refused the question",
        epoch=found.standpoint.epoch,
        as_of=found.moment,
        usage=Usage(),
    )


def noted(events: Generator[Event, None, None], notice: str) -> Generator[Event, None, None]:
    """The events of an answer, the notice in front of its text."""
    before = f"{notice}\n\n" if notice else ""
    said = False
    try:
        for event in events:
            if isinstance(event, Answer):
                yield replace(event, text=before + event.text)
            elif isinstance(event, Said) and not said:
                said = True
                yield replace(event, text=before + event.text)
            else:
                yield event
    finally:
        events.close()


def _earlier(guard: Guard, pair: tuple[str, str], level: Classification) -> tuple[str, str]:
    """An earlier (question, answer) pair as it may be used: empty if its question would be refused today."""
    verdict = guard.judge(pair[0], Direction.IN, level)
    if verdict.decision is Decision.REFUSE:
        return "", ""
    return (verdict.text, pair[1]) if verdict.decision is Decision.MASK else pair


def _language(text: str) -> str:
    return "zh" if detect_language(text) == "zh" else "en"


def _bounded(reason: str) -> str:
    """The reason as a label: those of foreign filters are one, so that their number is bounded."""
    return reason if reason in ("self_harm", "prompt_attack", "credentials", "too_secret") else "other"
