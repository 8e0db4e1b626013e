"""Erasing a person from SQL, in one transaction: what stays is its id, in the audit log and in documents' history."""

import sqlalchemy as sa
from sqlalchemy import Connection

from kbcore.domain.principal import User
from kbcore.metadata import usage
from kbcore.metadata.tables import (
    api_keys,
    conversations,
    feedback,
    group_members,
    identities,
    known_places,
    policy_entries,
    traces,
    turns,
)
from kbcore.metadata.users import delete_user

_OWN = {
    "conversations": conversations,
    "feedback": feedback,
    "traces": traces,
    "identities": identities,
    "keys": api_keys,
    "known_places": known_places,
}
"""What goes with the row of `users`, by foreign key."""

_TURNS = sa.select(sa.func.count()).select_from(turns).join(conversations)
# A reply that an administrator got may say who it is, by id or by name.
_REPLIES = sa.text("""
    UPDATE idempotency SET status = 404, body = NULL
    WHERE body IS NOT NULL AND (strpos(body::text, :id) > 0
        OR strpos(body::text, to_json(CAST(:name AS text))::text) > 0
        OR strpos(body::text, to_json('user:' || :name)::text) > 0)
""")
_OWN_REPLIES = sa.text("DELETE FROM idempotency WHERE user_id = :id")
_QUESTIONS = sa.text("""
    WITH before AS (
        SELECT id, questions FROM golden_sets
        WHERE EXISTS (SELECT FROM jsonb_array_elements(questions) q WHERE q->>'user_id' = :id) FOR UPDATE
    ), after AS (
        UPDATE golden_sets g SET questions = COALESCE((
            SELECT jsonb_agg(q ORDER BY place) FROM jsonb_array_elements(g.questions) WITH ORDINALITY e(q, place)
            WHERE q->>'user_id' <> :id), '[]')
        FROM before WHERE g.id = before.id
        RETURNING g.id, jsonb_array_length(before.questions) - jsonb_array_length(g.questions) AS gone
    )
    SELECT COALESCE(sum(gone), 0) FROM after
""")
# Why somebody did something, in its own words; that it was done stays, with its id.
_WORDS = {
    "comments_of_versions": sa.text(
        "UPDATE versions SET comment = NULL WHERE created_by = :id AND comment IS NOT NULL"
    ),
    "comments_of_snapshots": sa.text(
        "UPDATE snapshots SET comment = NULL WHERE created_by = :id AND comment IS NOT NULL"
    ),
    "reasons_of_erasures": sa.text("UPDATE erasures SET reason = NULL WHERE requested_by = :id AND reason IS NOT NULL"),
    "notes_of_complaints": sa.text(
        "UPDATE feedback SET closing_note = NULL WHERE closed_by = :id AND closing_note IS NOT NULL"
    ),
}


def erase_person(connection: Connection, user: User) -> dict[str, int]:
    """Remove a user and everything that says who it was or what it asked; returns how much there was of what.

    Raises `Conflict` (`last_admin`).
    """
    principal, named = f"user:{user.id}", {"id": user.id}
    removed = {name: _count(connection, table, user.id) for name, table in _OWN.items()}
    removed["turns"] = connection.execute(_TURNS.where(conversations.c.user_id == user.id)).scalar_one()
    removed["golden_questions"] = int(connection.execute(_QUESTIONS, named).scalar_one())
    for words, statement in _WORDS.items():
        removed[words] = connection.execute(statement, named).rowcount
    removed["memberships"] = connection.execute(
        sa.delete(group_members).where(group_members.c.member == principal)
    ).rowcount
    # Also in documents' own policies, which never change otherwise: no policy that is made later can name this person.
    removed["grants"] = connection.execute(
        sa.delete(policy_entries).where(policy_entries.c.principal == principal)
    ).rowcount
    removed["usage"] = usage.pseudonymise(connection, user.id)
    delete_user(connection, user.id)
    removed["replies"] = connection.execute(_OWN_REPLIES, named).rowcount
    removed["replies"] += connection.execute(_REPLIES, {**named, "name": user.name}).rowcount
    return removed


def _count(connection: Connection, table: sa.Table, user_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.user_id == user_id)
    return connection.execute(query).scalar_one()
