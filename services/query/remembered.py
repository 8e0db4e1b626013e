"""Remembered: a verified answer is given again to the same question, to whoever may read exactly the same.

The search has run already: what is remembered saves the model's work, never a check. An earlier answer is used only if
SQL confirms, for this caller and now, every passage that it was written from, word for word (docs/permissions.md).
"""

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from kbcore.bootstrap import Platform
from kbcore.domain.chunk import Passage
from kbcore.domain.conversation import Citation
from kbcore.domain.principal import Caller
from kbcore.language.analyzer import terms
from kbcore.language.frame import question_language
from kbcore.language.weights import term_id
from kbcore.language.wording import wording
from kbcore.llm.interface import AnswerRequest, Usage
from kbcore.llm.routing import Route
from kbcore.metadata import cached_answers
from kbcore.metadata.cached_answers import Question
from kbcore.metadata.passages import confirm
from kbcore.metadata.standpoint import Index
from kbcore.metadata.traces import conflict_of
from kbcore.observability.metrics import answers_remembered
from kbcore.observability.tracing import current_trace_id
from services.query.answer import Answer, Event, Said, count_answer
from services.query.found import Found
from services.query.guarded import may_quote
from services.query.request import AskRequest
from services.query.secrecy import level_of

GIVEN_BEFORE = "given before, and every source of it was checked again"


def given_again(
    platform: Platform,
    caller: Caller,
    request: AskRequest,
    question: str,
    found: Found,
    route: Route,
    written: Generator[Event, None, None],
) -> Generator[Event, None, None]:
    """The answer that was given before, or the one that is `written` now, which is kept for the next who asks.

    `question` is the one that was searched. Raises what `written` raises, and `AclUnavailable`.
    """
    index, trace_id = found.standpoint.index, current_trace_id()
    if index is None or not _lasting(platform, request, found):
        yield from written
        return
    asked = _question(platform, request, question, found, index, route)
    if asked is None:
        yield from written
        return
    before = _recall(platform, caller, request, found, index, asked)
    answers_remembered.labels("no" if before is None else "yes").inc()
    if before is not None:
        written.close()
        count_answer(before)
        yield Said(before.text, before.citations)
        yield before
        return
    try:
        for event in written:
            if isinstance(event, Answer) and _complete(event, route):
                _keep(platform, found, asked, event, trace_id)
            yield event
    finally:
        written.close()


def _lasting(platform: Platform, request: AskRequest, found: Found) -> bool:
    """Only what depends on the documents and the question alone: nothing that was said before, no chance, no past.

    Another day than today counts as past, whether the request names it or time words of the question mean it.
    """
    present = request.as_of.present and found.as_of.present and found.understood.effective_at is None
    alone = not request.history and request.temperature == 0
    return present and alone and platform.settings.answer.remember_minutes > 0


def _complete(answer: Answer, route: Route) -> bool:
    """By the model that was chosen, to its end, nothing kept back. "I don't know" is cheap, and uploads end it."""
    whole = not answer.abstained and answer.reason is None and answer.finish_reason == "stop"
    kept_back = answer.dropped or answer.masked
    return whole and not kept_back and answer.model == route.model.name and bool(answer.citations)


def _question(
    platform: Platform, request: AskRequest, question: str, found: Found, index: Index, route: Route
) -> Question | None:
    """None for a question without words."""
    said = wording(question)
    if not said:
        return None
    standing, language = found.standpoint, question_language(question)
    settings = platform.settings
    template = route.model.prompt(AnswerRequest(question, language, ())).template_hash
    same = {
        "policies": sorted(standing.scope.policy_ids),
        "clearance": int(standing.scope.clearance),
        "rows": standing.rows,
        "epoch": standing.epoch,
        "day": standing.at.date().isoformat(),
        "index": index.id,
        "spaces": _sorted(standing.space_keys),
        "documents": _sorted(standing.document_keys),
        "in_language": request.narrowing.language,
        "model": route.model.name,
        "template": template,
        "understood": [found.understood.traced(), platform.audit.key.pseudonym(found.understood.searched)],
        "language": language,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "settings": [
            part.model_dump(mode="json")  # secrets in it are stars
            for part in (settings.answer, settings.retrieval, settings.rerank, settings.llm, settings.guard)
        ],
        "question": platform.audit.key.pseudonym("\n".join(said)),
    }
    signature = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).digest()
    ids = tuple(sorted({term_id(term) for term in terms(said[0], index.analyzer)}))
    meaning = platform.question_vectors.of(platform.embedder_for(index.embedding), question)
    return Question(signature, ids, meaning)


def _sorted(keys: Iterable[int] | None) -> list[int] | None:
    return None if keys is None else sorted(keys)


def _keep(platform: Platform, found: Found, asked: Question, answer: Answer, trace_id: str) -> None:
    passages = [item.passage for item in found.ranked]
    kept = {
        "text": answer.text,
        "model": answer.model,
        "trace_id": trace_id,
        "conflict": None if answer.conflict is None else asdict(answer.conflict),
        "sources": {passage.chunk_id: _fingerprint(passage) for passage in passages},
        "citations": [
            {name: value for name, value in asdict(each).items() if name not in _DATED} for each in answer.citations
        ],
    }
    documents = [*(passage.document_id for passage in passages), *(each.document_id for each in answer.citations)]
    standing = found.standpoint
    with platform.database.begin() as connection:
        cached_answers.keep(
            connection,
            asked,
            kept,
            documents,
            epoch=standing.epoch,
            at=standing.at,
            minutes=platform.settings.answer.remember_minutes,
        )


_DATED = ("effective_from", "effective_to", "current")
"""What a citation says of its version; taken from the confirmed passage each time."""


def _recall(
    platform: Platform, caller: Caller, request: AskRequest, found: Found, index: Index, asked: Question
) -> Answer | None:
    """The answer to the same question, if all that it stands on is confirmed for this caller."""
    with platform.database.statement() as connection:
        kept = cached_answers.nearest(connection, asked, least=platform.settings.answer.remember_cosine)
        if kept is None:
            return None
        confirmed = confirm(
            connection,
            caller.user_id,
            list(kept["sources"]),
            index=index,
            standpoint=found.standpoint,
            language=request.narrowing.language,
        )
    passages = {passage.chunk_id: passage for passage in confirmed}
    citations = _citations(kept, passages)
    same = {chunk_id: _fingerprint(passage) for chunk_id, passage in passages.items()} == kept["sources"]
    retrieved = {item.passage.chunk_id for item in found.ranked}
    if not same or citations is None or not {each.chunk_id for each in citations} <= retrieved:
        return None
    if not may_quote(platform, kept["text"], level_of(request, found, platform.settings.llm)):
        return None  # the rules of the filters are not in the settings, and may have changed
    return Answer(
        text=kept["text"],
        citations=tuple(citations),
        abstained=False,
        reason=None,
        model=kept["model"],
        routed_because=GIVEN_BEFORE,
        epoch=found.standpoint.epoch,
        as_of=found.moment,
        usage=Usage(),
        given_before=kept["trace_id"],
        conflict=None if kept.get("conflict") is None else conflict_of(kept["conflict"]),
    )


def _citations(kept: Mapping[str, Any], passages: Mapping[str, Passage]) -> Sequence[Citation] | None:
    """The kept citations; None unless each quote is what its confirmed passage says at that place."""
    citations = []
    for each in kept["citations"]:
        passage = passages.get(each["chunk_id"])
        if passage is None or (passage.document_id, passage.version) != (each["document_id"], each["version"]):
            return None
        if passage.text[each["start"] - passage.start : each["end"] - passage.start] != each["quote"]:
            return None
        citation = Citation(**{**each, "heading": tuple(each["heading"])})
        citations.append(
            replace(
                citation,
                effective_from=passage.effective_from,
                effective_to=passage.effective_to,
                current=passage.current,
            )
        )
    return citations


def _fingerprint(passage: Passage) -> str:
    """SHA-256, hex, of what a model saw of a passage, which version it was of, and how secret it is."""
    seen = [
        passage.document_id,
        passage.version,
        passage.title,
        passage.space,
        list(passage.heading),
        passage.text,
        passage.start,
        passage.end,
        int(passage.classification),
    ]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode(errors="surrogatepass")).hexdigest()
