"""The glossary in SQL. Entries of a space are hidden from, and not applied for, whoever cannot see the space."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.domain.glossary import MAX_ENTRIES, GlossaryEntry
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict, Unprocessable
from kbcore.metadata.access import IN_CHARGE, PRINCIPALS_CTE, READABLE, asker
from kbcore.metadata.tables import glossary

# A space is seen as a search sees it: by a role in it, by a single document in it, or by an administrator.
_VISIBLE = f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT g.id, g.space_id, s.name AS space, g.term, g.expansions, g.created_by, g.created_at, g.updated_at
    FROM glossary g LEFT JOIN spaces s ON s.id = g.space_id
    WHERE EXISTS (SELECT FROM asker) AND (
        g.space_id IS NULL
        OR s.policy_id IN (SELECT policy_id FROM readable_policies)
        OR {IN_CHARGE}
        OR EXISTS (SELECT FROM documents d WHERE d.space_id = s.id AND {READABLE})
    )
"""
_FIND = sa.text(f"{_VISIBLE} AND g.id = :id")
_LIST = sa.text(f"""
    {_VISIBLE} AND (CAST(:space_id AS text) IS NULL OR g.space_id = :space_id)
        AND (CAST(:after AS text) IS NULL OR g.id > :after)
    ORDER BY g.id LIMIT :limit
""")
# The words are compared first: where none stands in the question, nobody's rights are looked up.
_APPLYING = sa.text(f"""
    {_VISIBLE} AND strpos(:text, lower(g.term)) > 0
        AND (NOT :by_space OR g.space_id IS NULL OR s.id = ANY(:spaces) OR s.name = ANY(:spaces))
    ORDER BY g.id LIMIT :limit
""").bindparams(sa.bindparam("spaces", type_=ARRAY(sa.Text)))


def find(connection: Connection, caller: Caller, entry_id: str) -> GlossaryEntry | None:
    """The entry; None for unknown ones, and for those of spaces that this caller cannot see."""
    row = connection.execute(_FIND, {**asker(caller), "id": entry_id}).one_or_none()
    return None if row is None else _entry(row)


def list_visible(
    connection: Connection, caller: Caller, *, space_id: str | None, after: str | None, limit: int
) -> list[GlossaryEntry]:
    """Those that hold everywhere and in spaces that this caller sees, or in one of them; oldest first."""
    rows = connection.execute(_LIST, {**asker(caller), "space_id": space_id, "after": after, "limit": limit})
    return [_entry(row) for row in rows]


def applying(
    connection: Connection, caller: Caller, text: str, *, spaces: Sequence[str] | None, limit: int
) -> list[GlossaryEntry]:
    """The visible entries whose term stands somewhere in `text` (in lower case), in a word or as one; oldest first.

    With `spaces` (ids or names) those that hold there or everywhere.
    """
    values = {**asker(caller), "text": text, "by_space": spaces is not None, "spaces": list(spaces or ())}
    return [_entry(row) for row in connection.execute(_APPLYING, {**values, "limit": limit})]


def insert_entry(
    connection: Connection, *, space_id: str | None, term: str, expansions: Sequence[str], created_by: str
) -> str:
    """Add an entry; returns its id. Raises `Conflict` (`term_taken`), `Unprocessable` (`glossary_full`)."""
    lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"glossary\n{space_id or ''}", 0))
    connection.execute(sa.select(lock))
    of_space = glossary.c.space_id.is_not_distinct_from(space_id)
    count = connection.execute(sa.select(sa.func.count()).select_from(glossary).where(of_space)).scalar_one()
    if count >= MAX_ENTRIES:
        raise Unprocessable(f"A glossary holds {MAX_ENTRIES} entries.", code="glossary_full")
    values = {"id": new_id(), "space_id": space_id, "term": term, "expansions": list(expansions)}
    _refuse_taken(connection, space_id, term, but=None)
    made = insert(glossary).values(**values, created_by=created_by).returning(glossary.c.id)
    return str(connection.execute(made).scalar_one())


def update_entry(connection: Connection, entry: GlossaryEntry, *, term: str, expansions: Sequence[str]) -> None:
    """Change both. Raises `Conflict` (`term_taken`)."""
    lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"glossary\n{entry.space_id or ''}", 0))
    connection.execute(sa.select(lock))
    _refuse_taken(connection, entry.space_id, term, but=entry.id)
    change = sa.update(glossary).where(glossary.c.id == entry.id)
    connection.execute(change.values(term=term, expansions=list(expansions), updated_at=sa.func.now()))


def delete_entry(connection: Connection, entry_id: str) -> None:
    """Forget it."""
    connection.execute(sa.delete(glossary).where(glossary.c.id == entry_id))


def _refuse_taken(connection: Connection, space_id: str | None, term: str, *, but: str | None) -> None:
    same = sa.select(glossary.c.id).where(
        glossary.c.space_id.is_not_distinct_from(space_id),
        sa.func.lower(glossary.c.term) == sa.func.lower(term),
        glossary.c.id.is_distinct_from(but),
    )
    if connection.execute(same).first() is not None:
        raise Conflict("There is already an entry for this term here.", code="term_taken")


def _entry(row: sa.Row[tuple[object, ...]]) -> GlossaryEntry:
    return GlossaryEntry(**{**row._mapping, "expansions": tuple(row.expansions)})
