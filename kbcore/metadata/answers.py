"""Answers and the versions that they cite: which ones a change has made stale. No text leaves this file."""

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.conversation import BuiltAnswer, SourceStatus, StaleSource
from kbcore.domain.document import FOREVER
from kbcore.metadata.access import ENTITLED, PRINCIPALS_CTE
from kbcore.metadata.in_force import in_force

_PUBLISHED = f"v.valid_from IS NOT NULL AND v.valid_to = {FOREVER}"

# A quote that stands word for word in the version in force is as true as it was, whatever else has changed there.
# A row of `documents` is never removed; should one be missing, nothing of it is in force.
_STATUS = """
    CASE
        WHEN d.erased_at IS NOT NULL THEN 'erased'
        WHEN d.id IS NULL OR d.deleted_at IS NOT NULL OR f.number IS NULL THEN 'retracted'
        WHEN f.number = q.version OR (
            SELECT bool_and(strpos(f.text, c->>'quote') > 0) FROM jsonb_array_elements(t.citations->'cited') c
            WHERE c->>'document_id' = q.document_id AND CAST(c->>'version' AS int) = q.version
        ) THEN 'current'
        ELSE 'replaced'
    END
"""
# Version 0 stands for a document that an abstention only names: it quotes nothing.
_FROM = f"""
    FROM (SELECT * FROM turn_sources WHERE version > 0) q
    JOIN turns t ON t.id = q.turn_id
    JOIN conversations o ON o.id = t.conversation_id
    LEFT JOIN documents d ON d.id = q.document_id
    LEFT JOIN LATERAL ({in_force(published=_PUBLISHED, at="now()")}) f ON true
"""
_OF_DOCUMENT = sa.text(f"""
    SELECT * FROM (
        SELECT t.id AS turn_id, t.trace_id, o.user_id AS asked_by, t.created_at AS asked_at, q.version,
            {_STATUS} AS status
        {_FROM}
        WHERE q.document_id = :document_id AND (
            CAST(:after_turn AS text) IS NULL OR (t.id, q.version) < (:after_turn, CAST(:after_version AS int)))
    ) a
    WHERE CAST(:status AS text) IS NULL OR a.status = :status
    ORDER BY turn_id DESC, version DESC LIMIT :limit
""")

_OF_CONVERSATION = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT * FROM (
        SELECT q.turn_id, q.document_id, q.version, {_STATUS} AS status,
            CASE WHEN d.deleted_at IS NULL THEN f.number END AS current_version
        {_FROM} JOIN spaces s ON s.id = d.space_id
        WHERE t.conversation_id = :conversation_id AND o.user_id = :user_id
            AND {ENTITLED}
    ) a
    WHERE a.status <> 'current'
    ORDER BY turn_id, document_id, version
""")


def answers_of(
    connection: Connection,
    document_id: str,
    *,
    status: SourceStatus | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> list[BuiltAnswer]:
    """The answers that cite a document, newest first, one for each version that they cite.

    `after` is (turn, version) of the last one before.
    """
    turn, version = after or (None, None)
    rows = connection.execute(
        _OF_DOCUMENT,
        {
            "document_id": document_id,
            "status": status,
            "after_turn": turn,
            "after_version": version,
            "limit": limit,
        },
    )
    return [BuiltAnswer(**{**row._mapping, "status": SourceStatus(row.status)}) for row in rows]


def stale_sources(connection: Connection, user_id: str, conversation_id: str) -> dict[str, list[StaleSource]]:
    """What is stale in the user's conversation, by turn, in one statement; turns without stale sources are left out."""
    found: dict[str, list[StaleSource]] = {}
    for row in connection.execute(_OF_CONVERSATION, {"user_id": user_id, "conversation_id": conversation_id}):
        stale = StaleSource(row.document_id, row.version, SourceStatus(row.status), row.current_version)
        found.setdefault(row.turn_id, []).append(stale)
    return found
