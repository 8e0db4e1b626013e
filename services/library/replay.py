"""Replay: the context of an old answer once more, from SQL, and whether the prompt is the same to the byte.

Nothing is taken from the trace but ids and places; words come from the versions as they are stored. Who may not read
all of it now is given none of it. What the verdict and the counts tell: docs/permissions.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.domain.trace import Prompted, Trace
from kbcore.language.frame import question_language
from kbcore.llm.interface import AnswerModel, AnswerRequest, Message, Prompt, Source
from kbcore.metadata import conversations
from kbcore.metadata.conversations import KeptTurn
from kbcore.metadata.passages import readable_documents
from kbcore.metadata.places import PlacedText, texts_at
from services.guard.configured import guarded_model
from services.library.replay_today import Today, asked_today
from services.library.traces import documents_in, find_trace, may_see_earlier_questions, may_see_question

WITHDRAWN = "access_withdrawn"


@dataclass(frozen=True, slots=True)
class ContextPassage:
    """A passage of the context, with its words."""

    number: int
    document_id: str
    version: int
    start: int
    end: int
    title: str
    heading: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Replay:
    """`identical` is None where it is not told, or there was no prompt; `why_not` is then, or if it is false, a word.

    `context` and `prompt` are None if the reader may not read all of it now (`withheld`), or it is gone.
    """

    trace: Trace
    identical: bool | None
    why_not: str | None
    context: tuple[ContextPassage, ...] | None
    prompt: tuple[Message, ...] | None
    withheld: bool
    today: Today | None
    today_why_not: str | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What SQL still has of an answer's sources."""

    trace: Trace
    readable: frozenset[str]
    texts: Sequence[PlacedText | None]
    turns: Mapping[str, KeptTurn]

    @property
    def turn_documents(self) -> frozenset[str]:
        """What the answers of the conversation before rest on."""
        return frozenset(document for turn in self.turns.values() for document in turn.documents)


def replay(platform: Platform, caller: Caller, trace_id: str) -> Replay:
    """Rebuild what a model was asked, and ask what would differ today. Calls no model.

    Raises `NotFound("trace")`, and what a search raises when a part of it does not answer.
    """
    with platform.database.snapshot() as connection:
        kept = _gather(connection, caller, trace_id)
    trace = kept.trace
    reads_context = set(trace.documents) <= kept.readable
    reads_all = reads_context and kept.turn_documents <= kept.readable
    prompted = trace.answer.prompts[-1] if trace.answer is not None and trace.answer.prompts else None
    prompt, why_not = _rebuild(platform, kept, prompted)
    identical = None if prompted is None else why_not is None
    if not reads_all and not caller.is_trusted:
        identical, why_not = None, WITHDRAWN
    today, today_why_not = asked_today(platform, caller, trace)
    reads_questions = may_see_question(caller, trace, kept.readable) and may_see_earlier_questions(caller, trace)
    return Replay(
        trace=trace,
        identical=identical,
        why_not=why_not,
        context=_context(kept, prompted) if reads_context else None,
        prompt=prompt.messages if prompt is not None and identical and reads_all and reads_questions else None,
        withheld=not reads_context,
        today=today,
        today_why_not=today_why_not,
    )


def _gather(connection: Connection, caller: Caller, trace_id: str) -> _Kept:
    trace, _ = find_trace(connection, caller, trace_id)
    turns = conversations.kept_turns(connection, trace.user_id, [turn for turn, given in trace.history or () if given])
    named = documents_in(trace) | {document for turn in turns.values() for document in turn.documents}
    places = [(each.document_id, each.version, each.start, each.end) for each in trace.passages]
    return _Kept(
        trace=trace,
        readable=readable_documents(connection, caller.user_id, sorted(named)),
        texts=texts_at(connection, places, trace.generation_id),
        turns=turns,
    )


def _rebuild(platform: Platform, kept: _Kept, prompted: Prompted | None) -> tuple[Prompt | None, str | None]:
    """The prompt, and why it is not the one that was recorded: None if it is."""
    if prompted is None:
        return None, "no_model_asked"
    if not kept.trace.question:
        return None, "question_erased"
    history, missing = _history(kept)
    missing = missing or _missing(kept, prompted)
    model = platform.answer_models.get(prompted.model)
    if missing is not None or model is None:
        return None, missing or "model_gone"
    prompt = _render(guarded_model(platform, model), kept, prompted, history)
    if prompt.hash == prompted.prompt_hash:
        return prompt, None
    return None, "template_changed" if prompt.template_hash != prompted.template_hash else "changed"


def _render(model: AnswerModel, kept: _Kept, prompted: Prompted, history: tuple[tuple[str, str], ...]) -> Prompt:
    """With titles as readers see them now or, if those do not give the recorded prompt, the versions' own."""
    question = str(kept.trace.asked.get("standalone") or kept.trace.question)
    prompts = [
        model.prompt(
            AnswerRequest(
                question=question,
                language=question_language(question),
                sources=_sources(kept, prompted, own_titles=own_titles),
                history=history,
                max_tokens=kept.trace.asked.get("max_tokens"),
                conflict=prompted.conflict,
            )
        )
        for own_titles in (False, True)
    ]
    return next((prompt for prompt in prompts if prompt.hash == prompted.prompt_hash), prompts[0])


def _history(kept: _Kept) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """The pairs that the model was given, and what of them is missing."""
    if kept.trace.history is None:
        return (), "history_not_kept"
    pairs: list[tuple[str, str]] = []
    for turn_id, given in kept.trace.history:
        if not given:
            continue
        turn = kept.turns.get(turn_id)
        if turn is None or turn.answer is None:
            return (), "history_gone"
        pairs.append((turn.question, turn.answer))
    return tuple(pairs), None


def _missing(kept: _Kept, prompted: Prompted) -> str | None:
    texts = [kept.texts[number - 1] for number in prompted.sources]
    if any(text is None or text.text is None for text in texts):
        return "text_gone"
    return "place_gone" if any(text is None or text.heading is None for text in texts) else None


def _sources(kept: _Kept, prompted: Prompted, *, own_titles: bool) -> list[Source]:
    sources = []
    for number in prompted.sources:
        text, passage = kept.texts[number - 1], kept.trace.passages[number - 1]
        assert text is not None
        title = text.title if own_titles else text.shown_title
        score = min(max(passage.score, 0.0), 1.0)
        sources.append(Source(number, title, text.text or "", text.heading or (), score, ""))
    return sources


def _context(kept: _Kept, prompted: Prompted | None) -> tuple[ContextPassage, ...] | None:
    """The passages that the model got, of a search all; None if one of them is gone."""
    numbers = range(1, len(kept.trace.passages) + 1) if prompted is None else prompted.context
    passages = []
    for number in numbers:
        text, place = kept.texts[number - 1], kept.trace.passages[number - 1]
        if text is None or text.text is None:
            return None
        passages.append(
            ContextPassage(
                number=number,
                document_id=place.document_id,
                version=place.version,
                start=place.start,
                end=place.end,
                title=text.shown_title,
                heading=text.heading or (),
                text=text.text,
            )
        )
    return tuple(passages)
