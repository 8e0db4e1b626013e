"""Making golden sets: from questions that somebody gives, and from answers that their askers called good."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.domain.evaluation import GoldenQuestion, GoldenSet
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound, Unprocessable
from kbcore.metadata import golden_sets, users
from kbcore.metadata.golden_sets import WantedDocument

FEEDBACK_LIMIT = 1000
"""So many of the newest well rated answers are collected."""


@dataclass(frozen=True, slots=True)
class WantedQuestion:
    """A question to be kept; `user` (id or name) asks it, None = whoever the set names.

    Without documents it is one that nothing answers which its asker may read.
    """

    question: str
    documents: Sequence[WantedDocument]
    user: str | None = None


@dataclass(frozen=True, slots=True)
class WantedSet:
    """A golden set to be made. `ask_as` (id or name) asks the questions that name nobody; None = the caller."""

    name: str
    questions: Sequence[WantedQuestion]
    from_feedback: bool = False
    ask_as: str | None = None


def create_set(connection: Connection, caller: Caller, wanted: WantedSet, *, max_query_chars: int) -> GoldenSet:
    """Resolve and keep a golden set.

    Raises `Conflict` (`name_taken`) and `Unprocessable`: `unknown_user`, `unknown_document` (also for one that the
    asker of its question or the caller may not read: figures tell what a document holds), `golden_set_empty`,
    `empty_query`, `query_too_long`.
    """
    questions = _given(connection, caller, wanted, max_query_chars)
    if wanted.from_feedback:
        asked = {(item.question, item.user_id) for item in questions}
        questions += _from_feedback(connection, asked, max_query_chars)
    if not questions:
        raise Unprocessable("The golden set would have no questions.", code="golden_set_empty")
    return golden_sets.insert_set(connection, name=wanted.name, questions=questions, created_by=caller.user_id)


def known_set(connection: Connection, id_or_name: str) -> GoldenSet:
    """The set with this id or name. Raises `NotFound("golden_set")`."""
    found = golden_sets.get(connection, id_or_name)
    if found is None:
        raise NotFound("golden_set")
    return found


def _given(connection: Connection, caller: Caller, wanted: WantedSet, max_query_chars: int) -> list[GoldenQuestion]:
    for number, item in enumerate(wanted.questions, 1):
        if not item.question.strip():
            raise Unprocessable(f"Question {number} is empty.", code="empty_query")
        if len(item.question.strip()) > max_query_chars:
            raise Unprocessable(f"Question {number} has more than {max_query_chars} characters.", code="query_too_long")
    names = [item.user or wanted.ask_as or caller.user_id for item in wanted.questions]
    ids = {name: _asker(connection, name) for name in dict.fromkeys(names)}
    asked = [(ids[name], item.documents) for name, item in zip(names, wanted.questions, strict=True)]
    theirs = golden_sets.resolve_each(connection, asked)
    own = golden_sets.resolve_each(connection, [(caller.user_id, item.documents) for item in wanted.questions])
    questions = []
    for place, found in enumerate(theirs):
        if None in found or None in own[place]:
            raise Unprocessable(
                f"A document of question {place + 1} does not exist, or you or the one who asks it may not read it.",
                code="unknown_document",
            )
        relevant = tuple(dict.fromkeys(document for document in found if document is not None))
        text = wanted.questions[place].question.strip()
        questions.append(GoldenQuestion(new_id(), text, asked[place][0], relevant, answerable=bool(relevant)))
    return questions


def _asker(connection: Connection, id_or_name: str) -> str:
    try:
        user = users.get_user(connection, id_or_name)
    except NotFound:
        user = None
    if user is None or not user.active:
        raise Unprocessable(f"{id_or_name!r} is not an active user.", code="unknown_user")
    return user.id


def _from_feedback(connection: Connection, asked: set[tuple[str, str]], max_query_chars: int) -> list[GoldenQuestion]:
    """Each question once for each asker, with those of the cited documents that the asker may still read."""
    praised = golden_sets.praised(connection, limit=FEEDBACK_LIMIT)
    wanted = [(item.user_id, [WantedDocument(id=cited) for cited in item.documents]) for item in praised]
    questions = []
    for item, found in zip(praised, golden_sets.resolve_each(connection, wanted), strict=True):
        key = (item.question.strip(), item.user_id)
        documents = tuple(document for document in found if document is not None)
        if documents and key not in asked and 0 < len(key[0]) <= max_query_chars:
            asked.add(key)
            questions.append(GoldenQuestion(new_id(), key[0], item.user_id, documents))
    return questions
