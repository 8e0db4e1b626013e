"""The thread that a question belongs to: what was said before, as far as it may still be read."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kbcore.domain.conversation import Turn
from kbcore.domain.document import Classification
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.errors import NotFound
from kbcore.metadata import conversations
from kbcore.metadata.database import Database
from kbcore.metadata.documents import highest_classification
from services.query.answer import Answer

_TITLE = 60


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was said before: (question, answer) pairs, oldest first, and the turns that they come from.

    The answer of an abstention is empty. A turn whose answer is withheld, or was erased, is left out: its question may
    quote it. `level` is the highest classification, now, of the documents that the others cite or name.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    turn_ids: tuple[str, ...] = ()
    level: Classification = Classification.PUBLIC


def earlier_turns(database: Database, caller: Caller, conversation_id: str | None) -> Earlier:
    """The conversation so far.

    Raises `NotFound("conversation")` if the caller has no such conversation.
    """
    if conversation_id is None:
        return Earlier()
    with database.snapshot() as connection:
        if conversations.get(connection, caller.user_id, conversation_id) is None:
            raise NotFound("conversation")
        turns = conversations.turns_of(connection, caller.user_id, conversation_id)
        said = [(turn, turn.answer) for turn in turns if turn.answer is not None]
        level = highest_classification(connection, conversations.sources_of(connection, [turn.id for turn, _ in said]))
    pairs = tuple((turn.question, "" if turn.abstained else answer) for turn, answer in said)
    return Earlier(pairs, tuple(turn.id for turn, _ in said), level)


def remember(
    database: Database, caller: Caller, conversation_id: str | None, question: str, answer: Answer, trace_id: str
) -> str:
    """Store a finished answer as a turn, in a new conversation if there is none yet; returns the conversation's id."""
    with database.begin() as connection:
        if conversation_id is None:
            conversation_id = conversations.create(connection, caller.user_id, question[:_TITLE])
        elif conversations.get(connection, caller.user_id, conversation_id) is None:
            raise NotFound("conversation")
        turn = Turn(
            id=new_id(),
            conversation_id=conversation_id,
            question=question,
            answer=answer.text,
            citations=answer.citations,
            abstained=answer.abstained,
            reason=answer.reason,
            model=answer.model,
            epoch=answer.epoch,
            trace_id=trace_id,
            created_at=datetime.now(UTC),
        )
        conversations.add_turn(connection, turn, answer.named)
    return conversation_id
