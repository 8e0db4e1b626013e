"""Conversations, which only their owner sees, and feedback."""

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.errors import NotFound
from kbcore.metadata import conversations
from kbcore.metadata.answers import stale_sources
from services.api.dependencies import CallerDep, PlatformDep, SeenDep
from services.api.paging import PageDep
from services.api.schemas.ask import ConversationOut, ConversationWithTurns, FeedbackBody, FeedbackOut, TurnOut
from services.api.schemas.page import Page
from services.api.schemas.problem import problems
from services.api.writes import Done, WriteDep

router = APIRouter(tags=["ask"])


@router.get("/v1/conversations", summary="List your conversations, the last used first", responses=problems(400))
def list_conversations(platform: PlatformDep, caller: CallerDep, page: PageDep) -> Page[ConversationOut]:
    """Without their turns."""
    with platform.database.snapshot() as connection:
        rows = conversations.page(connection, caller.user_id, limit=page.fetch, after=page.after)
    return page.page(rows, lambda row: row.id, ConversationOut.of)


@router.get("/v1/conversations/{conversation_id}", summary="Read one of your conversations", responses=problems(404))
def read_conversation(
    conversation_id: str, platform: PlatformDep, caller: CallerDep, seen: SeenDep
) -> ConversationWithTurns:
    """Its turns, oldest first. An answer that rests on a document that you may not read any more is withheld (null).

    `stale` names the sources of an answer that do not say any more what it quotes.
    """
    with platform.database.snapshot() as connection:
        found = conversations.get(connection, caller.user_id, conversation_id)
        if found is None:
            raise NotFound("conversation")
        turns = conversations.turns_of(connection, caller.user_id, conversation_id)
        stale = stale_sources(connection, caller.user_id, conversation_id)
    seen.shows(citation.document_id for turn in turns for citation in turn.citations)
    head = ConversationOut.of(found)
    return ConversationWithTurns(
        **head.model_dump(), turns=[TurnOut.of(turn, stale.get(turn.id, ())) for turn in turns]
    )


@router.delete(
    "/v1/conversations/{conversation_id}",
    summary="Delete one of your conversations",
    status_code=204,
    responses=problems(404, 409),
)
def delete_conversation(conversation_id: str, write: WriteDep, caller: CallerDep) -> Response:
    """With all its turns."""

    def work(connection: Connection) -> Done:
        if not conversations.delete(connection, caller.user_id, conversation_id):
            raise NotFound("conversation")
        return Done(status=204)

    return write.perform(work, before_replay=None)


@router.post(
    "/v1/feedback",
    summary="Say what you think of an answer",
    status_code=201,
    response_model=FeedbackOut,
    responses=problems(409),
)
def give_feedback(body: FeedbackBody, write: WriteDep, caller: CallerDep) -> Response:
    """Stored with your name for those who look after the knowledge base.

    They may make the question of an answer that you rate 1 a test of retrieval, asked in your name. A `complaint`
    stands in `GET /v1/complaints` until somebody has looked into it.
    """

    def work(connection: Connection) -> Done:
        feedback_id = conversations.add_feedback(
            connection,
            caller.user_id,
            body.trace_id,
            body.rating,
            reason=body.reason,
            comment=body.comment,
            complaint=body.complaint,
        )
        made = AuditEvent.by(caller, "complaint.made", complaint=feedback_id, of=body.trace_id)
        return Done(FeedbackOut(id=feedback_id), status=201, events=(made,) if body.complaint else ())

    return write.perform(work, before_replay=None)
