"""A person's own data: a copy of all of it, and its erasure with a signed receipt (docs/traces.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from kbcore.domain.conversation import Conversation, Turn
from kbcore.domain.principal import ApiKey, Caller, User
from kbcore.domain.trace import Trace
from kbcore.errors import Conflict, NotFound
from kbcore.metadata import api_keys, conversations, person_records, traces, users
from kbcore.metadata.passages import readable_documents
from kbcore.metadata.person_erasure import erase_person
from kbcore.metadata.person_records import FeedbackGiven, Identity, Membership, NamingGrant, RecordAbout
from kbcore.metadata.usage import By, Figures, Which, figures
from kbcore.signing import Signer
from services.library.access import visible_space
from services.library.traces import documents_in, may_see_question

MOST = 1000
"""Traces, and audit records, of one copy; the rest comes with the cursors."""
_ALL = 10_000
_KEPT = (
    ("audit records", "who did what: the id stays as a pseudonym, no name"),
    ("usage", "what models cost: added to the figures of all who were erased"),
    ("documents", "what was uploaded belongs to the organisation; it names its sender by id"),
)


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation and its turns, as far as the person and whoever asks for the copy may both read them."""

    conversation: Conversation
    title_shown: bool
    turns: tuple[Turn, ...]
    questions_withheld: frozenset[str]


@dataclass(frozen=True, slots=True)
class PersonCopy:
    """What is held about a person. `questions_shown` are ids of traces; `readable` documents that the reader may read.

    `more_traces` and `more_records` are cursors for what did not fit; None = that is all.
    """

    user: User
    groups: tuple[Membership, ...]
    keys: tuple[ApiKey, ...]
    identities: tuple[Identity, ...]
    threads: tuple[Thread, ...]
    feedback: tuple[FeedbackGiven, ...]
    traces: tuple[Trace, ...]
    questions_shown: frozenset[str]
    records: tuple[RecordAbout, ...]
    readable: frozenset[str]
    grants: tuple[NamingGrant, ...]
    usage: tuple[Figures, ...]
    more_traces: str | None
    more_records: int | None


def copy_of(
    connection: Connection, caller: Caller, user_id: str, *, traces_after: str = "", records_after: int = 0
) -> PersonCopy:
    """A copy of what is held about a user, for itself or for an administrator. Raises `NotFound("user")`.

    Nothing in it is text that the caller may not read now; of a person that is not the caller, it must be readable for
    that person, too.
    """
    user = users.get_user(connection, user_id)
    found = traces.of_user(connection, user.id, after=traces_after, limit=MOST + 1)
    records = person_records.records_about(connection, user.id, after=records_after, limit=MOST + 1)
    named = {document for trace in found for document in documents_in(trace)}
    named |= {document for record in records for document in record.documents}
    readable = readable_documents(connection, caller.user_id, sorted(named))
    threads = _threads(connection, caller, user.id)
    return PersonCopy(
        user=user,
        groups=tuple(person_records.memberships(connection, user.id)),
        keys=tuple(api_keys.list_keys(connection, user_id=user.id, after=None, limit=_ALL)),
        identities=tuple(person_records.identities_of(connection, user.id)),
        threads=tuple(threads),
        feedback=tuple(_feedback(connection, caller, user.id, threads)),
        traces=tuple(found[:MOST]),
        questions_shown=frozenset(each.id for each in found if may_see_question(caller, each, readable)),
        records=tuple(records[:MOST]),
        readable=readable,
        grants=tuple(_grants(connection, caller, user.id)),
        usage=tuple(figures(connection, caller, Which(user.id), By.DAY)),
        more_traces=found[MOST - 1].id if len(found) > MOST else None,
        more_records=records[MOST - 1].seq if len(records) > MOST else None,
    )


def erase(connection: Connection, caller: Caller, user: User, signer: Signer) -> dict[str, Any]:
    """Erase a person; the signed receipt. Raises `Conflict` (`own_account`, `last_admin`)."""
    if user.id in (caller.user_id, caller.acting_id):
        raise Conflict("Nobody erases its own account; another administrator has to.", code="own_account")
    removed = erase_person(connection, user)
    return signer.sign(
        {
            "user_id": user.id,
            "requested_by": caller.user_id,
            "erased_at": datetime.now(UTC).isoformat(),
            "removed": removed,
            "kept": [{"what": what, "why": why} for what, why in _KEPT],
        }
    )


def _threads(connection: Connection, caller: Caller, user_id: str) -> list[Thread]:
    shown_to = None if caller.user_id == user_id else caller.user_id
    threads, after = [], None
    while page := conversations.page(connection, user_id, limit=MOST, after=after):
        after = page[-1].id
        for conversation in page:
            turns = conversations.turns_of(connection, user_id, conversation.id, shown_to=shown_to)
            hidden = _questions_to_withhold(turns) if shown_to else frozenset()
            kept = tuple(replace(turn, question="") if turn.id in hidden else turn for turn in turns)
            threads.append(Thread(conversation, not hidden, kept, hidden))
    return threads


def _questions_to_withhold(turns: Sequence[Turn]) -> frozenset[str]:
    """A question may repeat what its answer says: somebody else is shown it with the answer only."""
    return frozenset(turn.id for turn in turns if turn.answer is None)


def _feedback(connection: Connection, caller: Caller, user_id: str, threads: Sequence[Thread]) -> list[FeedbackGiven]:
    """Comments may quote the answer: somebody else is shown them only of answers that it may read."""
    given = person_records.feedback_of(connection, user_id)
    if caller.user_id == user_id:
        return given
    answers = {turn.trace_id for thread in threads for turn in thread.turns if turn.answer is not None}
    return [each if each.trace_id in answers else replace(each, reason=None, comment=None) for each in given]


def _grants(connection: Connection, caller: Caller, user_id: str) -> list[NamingGrant]:
    """Administrators see all. Others those that let them see the thing: a denial would tell them that it is there."""
    grants = person_records.grants_naming(connection, user_id)
    if caller.is_admin:
        return grants
    documents = [each.document_id for each in grants if each.document_id is not None]
    readable = readable_documents(connection, caller.user_id, documents)
    return [
        each
        for each in grants
        if each.role is not None
        and (each.document_id in readable if each.space is None else _sees_space(connection, caller, each.space))
    ]


def _sees_space(connection: Connection, caller: Caller, space: str) -> bool:
    try:
        visible_space(connection, caller, space)
    except NotFound:
        return False
    return True
