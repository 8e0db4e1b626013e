"""Conversations: what somebody asked and was answered. Only their owner sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.conversation import Citation, Conversation, Turn
from kbcore.domain.ids import new_id
from kbcore.metadata.documents import hold_unerased
from kbcore.metadata.passages import entitled_documents, readable_documents
from kbcore.metadata.tables import conversations, feedback, turn_sources, turns

WITHHELD = "access_withdrawn"
"""The reason of a turn whose sources its asker may no longer read."""

ERASED = "erased"
"""The reason of a turn that rested on a document which was erased since: its answer is gone for everybody.

Who could not read that document any more if it were still there is told `WITHHELD`, as before."""

_NAMED = 0
"""In place of a version, for a document that an abstention only names."""


def create(connection: Connection, user_id: str, title: str) -> str:
    """A new conversation's id."""
    conversation_id = new_id()
    connection.execute(sa.insert(conversations).values(id=conversation_id, user_id=user_id, title=title))
    return conversation_id


def get(connection: Connection, user_id: str, conversation_id: str) -> Conversation | None:
    """This user's conversation; None if there is none, or it is somebody else's."""
    row = connection.execute(
        sa.select(conversations).where(conversations.c.id == conversation_id, conversations.c.user_id == user_id)
    ).one_or_none()
    return None if row is None else Conversation(**row._mapping)


def page(connection: Connection, user_id: str, *, limit: int, after: str | None = None) -> list[Conversation]:
    """The user's conversations, the last used first; `after` is the id of the last one already shown."""
    query = sa.select(conversations).where(conversations.c.user_id == user_id)
    place = sa.tuple_(conversations.c.updated_at, conversations.c.id)
    if after is not None:
        shown = sa.select(conversations.c.updated_at, conversations.c.id)
        shown = shown.where(conversations.c.id == after, conversations.c.user_id == user_id)
        query = query.where(place < shown.scalar_subquery())
    query = query.order_by(conversations.c.updated_at.desc(), conversations.c.id.desc()).limit(limit)
    return [Conversation(**row._mapping) for row in connection.execute(query)]


def delete(connection: Connection, user_id: str, conversation_id: str) -> bool:
    """Remove it with all its turns; False if this user has no such conversation."""
    gone = sa.delete(conversations).where(conversations.c.id == conversation_id, conversations.c.user_id == user_id)
    return connection.execute(gone).rowcount == 1


def add_turn(connection: Connection, turn: Turn, named: Sequence[str] = ()) -> None:
    """Remember a finished answer and which versions it cites. `named` are documents that its text names as the closest.

    If one of its sources was erased while it was written, only the question is kept, and which ones they were.
    """
    sources = {(citation.document_id, citation.version) for citation in turn.citations}
    sources |= {(document_id, _NAMED) for document_id in named}
    if not hold_unerased(connection, {document_id for document_id, _ in sources}):
        turn, named = replace(turn, answer=None, citations=(), reason=ERASED), ()
    connection.execute(
        sa.insert(turns).values(
            id=turn.id,
            conversation_id=turn.conversation_id,
            question=turn.question,
            answer=turn.answer or "",
            citations={"cited": [_stored(citation) for citation in turn.citations], "named": list(named)},
            abstained=turn.abstained,
            reason=turn.reason,
            model=turn.model,
            epoch=turn.epoch,
            trace_id=turn.trace_id,
            created_at=turn.created_at,
        )
    )
    if sources:
        rows = [
            {"turn_id": turn.id, "document_id": document_id, "version": version}
            for document_id, version in sorted(sources)
        ]
        connection.execute(sa.insert(turn_sources), rows)
    touched = sa.update(conversations).where(conversations.c.id == turn.conversation_id)
    connection.execute(touched.values(updated_at=sa.func.now()))


def turns_of(connection: Connection, user_id: str, conversation_id: str, *, shown_to: str | None = None) -> list[Turn]:
    """The turns of the user's conversation, oldest first, each checked again; `shown_to` must be able to read, too.

    If any document that an answer cites or names may not be read by this user now, the turn has answer None, no
    citations, and `WITHHELD` as its reason; if one was erased and this user could still read all of them, `ERASED`.
    """
    owned = conversations.c.id == turns.c.conversation_id
    query = (
        sa.select(turns)
        .join(conversations, owned)
        .where(turns.c.conversation_id == conversation_id, conversations.c.user_id == user_id)
        .order_by(turns.c.created_at, turns.c.id)
    )
    rows = [(_turn(dict(row._mapping)), _documents(row.citations)) for row in connection.execute(query)]
    wanted = sorted({document for _, documents in rows for document in documents})
    readable = readable_documents(connection, user_id, wanted) if wanted else frozenset()
    if shown_to is not None and wanted:
        readable &= readable_documents(connection, shown_to, wanted)
    told = _told_of_erasure(connection, user_id, [turn.id for turn, _ in rows if turn.reason == ERASED])
    return [
        turn if documents <= readable and (turn.reason != ERASED or turn.id in told) else _withheld(turn)
        for turn, documents in rows
    ]


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn as it is stored; `documents` are those that its answer rests on. `answer` is None once it was emptied."""

    question: str
    answer: str | None
    documents: frozenset[str]


def kept_turns(connection: Connection, user_id: str, turn_ids: Sequence[str]) -> dict[str, KeptTurn]:
    """These turns of a user by id, those that are still there. Who may read them is left to the caller to ask."""
    owned = sa.and_(conversations.c.id == turns.c.conversation_id, conversations.c.user_id == user_id)
    query = sa.select(turns).join(conversations, owned).where(turns.c.id.in_(turn_ids))
    rows = connection.execute(query).all() if turn_ids else []
    return {
        row.id: KeptTurn(row.question, None if row.reason == ERASED else row.answer, _documents(row.citations))
        for row in rows
    }


def sources_of(connection: Connection, turn_ids: Sequence[str]) -> frozenset[str]:
    """The documents that these turns cite or name."""
    sources = sa.select(turn_sources.c.document_id).where(turn_sources.c.turn_id.in_(turn_ids))
    return frozenset(connection.execute(sources).scalars())


def add_feedback(
    connection: Connection,
    user_id: str,
    trace_id: str,
    rating: int,
    *,
    reason: str | None,
    comment: str | None,
    complaint: bool,
) -> str:
    """Remember what somebody thought of an answer; returns the feedback's id."""
    feedback_id = new_id()
    connection.execute(
        sa.insert(feedback).values(
            id=feedback_id,
            user_id=user_id,
            trace_id=trace_id,
            rating=rating,
            reason=reason,
            comment=comment,
            complaint=complaint,
        )
    )
    return feedback_id


def _told_of_erasure(connection: Connection, user_id: str, turn_ids: Sequence[str]) -> frozenset[str]:
    """Those of these emptied turns all of whose sources this user could still read if they were there."""
    rows = connection.execute(
        sa.select(turn_sources.c.turn_id, turn_sources.c.document_id).where(turn_sources.c.turn_id.in_(turn_ids))
    ).all()
    entitled = entitled_documents(connection, user_id, sorted({row.document_id for row in rows}))
    lost = {row.turn_id for row in rows if row.document_id not in entitled}
    return frozenset(row.turn_id for row in rows) - lost


def _turn(row: Mapping[str, Any]) -> Turn:
    cited = tuple(_citation(item) for item in row["citations"]["cited"])
    answer = None if row["reason"] == ERASED else row["answer"]
    return Turn(**{**row, "answer": answer, "citations": cited})


def _stored(citation: Citation) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(citation).items()
    }


def _citation(stored: Mapping[str, Any]) -> Citation:
    dates = {
        name: datetime.fromisoformat(stored[name])
        for name in ("effective_from", "effective_to")
        if stored.get(name) is not None
    }
    return Citation(**{**stored, "heading": tuple(stored["heading"]), **dates})


def _documents(stored: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(stored["named"]) | {item["document_id"] for item in stored["cited"]}


def _withheld(turn: Turn) -> Turn:
    return replace(turn, answer=None, citations=(), reason=WITHHELD)
