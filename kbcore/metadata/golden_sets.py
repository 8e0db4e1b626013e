"""Golden sets in SQL, which of somebody's documents are meant by a question, and what good feedback adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import ARRAY, insert

from kbcore.domain.evaluation import GoldenQuestion, GoldenSet
from kbcore.domain.ids import new_id
from kbcore.errors import Conflict
from kbcore.metadata.access import PRINCIPALS_CTE, READABLE
from kbcore.metadata.tables import generations, golden_sets

_COLUMNS = [golden_sets.c[name] for name in ("id", "name", "questions", "created_by", "created_at")]

# One row for each document that is meant and may be read, by its place in what was asked for.
_RESOLVE = sa.text(f"""
    WITH RECURSIVE {PRINCIPALS_CTE},
    wanted AS (
        SELECT * FROM unnest(:ids, :spaces, :external_ids) WITH ORDINALITY AS w(id, space, external_id, place)
    )
    SELECT w.place, d.id FROM wanted w
    JOIN documents d ON d.id = w.id JOIN spaces s ON s.id = d.space_id
    WHERE {READABLE}
    UNION ALL
    SELECT w.place, d.id FROM wanted w
    JOIN spaces s ON s.id = w.space OR s.name = w.space
    JOIN documents d ON d.space_id = s.id AND d.external_id = w.external_id
    WHERE w.id IS NULL AND {READABLE}
""").bindparams(
    sa.bindparam("ids", type_=ARRAY(sa.Text)),
    sa.bindparam("spaces", type_=ARRAY(sa.Text)),
    sa.bindparam("external_ids", type_=ARRAY(sa.Text)),
)

# Only one's own answers count, by one's last word on them. An answer that cites nothing has no relevant document.
# A question that follows others may need them to be understood, and may quote what they were answered.
_PRAISED = sa.text("""
    WITH said AS (
        SELECT DISTINCT ON (user_id, trace_id) user_id, trace_id, rating, created_at FROM feedback
        ORDER BY user_id, trace_id, created_at DESC, id DESC
    )
    SELECT t.question, c.user_id,
        ARRAY(SELECT DISTINCT q->>'document_id' FROM jsonb_array_elements(t.citations->'cited') q ORDER BY 1) AS cited
    FROM said f
    JOIN turns t ON t.trace_id = f.trace_id
    JOIN conversations c ON c.id = t.conversation_id AND c.user_id = f.user_id
    WHERE f.rating = 1 AND NOT t.abstained AND jsonb_array_length(t.citations->'cited') > 0
        AND NOT EXISTS (
            SELECT FROM turns e
            WHERE e.conversation_id = t.conversation_id AND (e.created_at, e.id) < (t.created_at, t.id)
        )
    ORDER BY f.created_at DESC, t.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class WantedDocument:
    """A document by its id, or by its external id in a space (id or name)."""

    id: str | None = None
    space: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Praised:
    """A question whose answer its asker called good, and the documents that the answer cites."""

    question: str
    user_id: str
    documents: tuple[str, ...]


def insert_set(connection: Connection, *, name: str, questions: Sequence[GoldenQuestion], created_by: str) -> GoldenSet:
    """Keep a golden set. Raises `Conflict` (`name_taken`)."""
    stored = [
        {
            "id": item.id,
            "question": item.question,
            "user_id": item.user_id,
            "documents": list(item.documents),
            "answerable": item.answerable,
        }
        for item in questions
    ]
    row = connection.execute(
        insert(golden_sets)
        .values(id=new_id(), name=name, questions=stored, created_by=created_by)
        .on_conflict_do_nothing(index_elements=[golden_sets.c.name])
        .returning(*_COLUMNS)
    ).one_or_none()
    if row is None:
        raise Conflict(f"There is already a golden set named {name!r}.", code="name_taken")
    return _set(row)


def get(connection: Connection, id_or_name: str) -> GoldenSet | None:
    """The set with this id or name."""
    named = sa.or_(golden_sets.c.id == id_or_name, golden_sets.c.name == id_or_name)
    row = connection.execute(sa.select(*_COLUMNS).where(named)).one_or_none()
    return None if row is None else _set(row)


def list_of(connection: Connection, *, after: str | None, limit: int) -> list[GoldenSet]:
    """Golden sets, newest first; `after` is the last id of the page before."""
    query = sa.select(*_COLUMNS).order_by(golden_sets.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(golden_sets.c.id < after)
    return [_set(row) for row in connection.execute(query)]


def delete(connection: Connection, set_id: str) -> None:
    """Remove a set with its evaluations. Raises `Conflict` (`golden_set_in_use`) while an index is to pass it."""
    named = generations.c.gate["golden_set_id"].astext == set_id
    waiting = sa.exists().where(named, generations.c.state.in_(("building", "ready")))
    if connection.execute(sa.select(waiting)).scalar_one():
        raise Conflict("An index that is built, or is ready, has this set for its gate.", code="golden_set_in_use")
    connection.execute(sa.delete(golden_sets).where(golden_sets.c.id == set_id))


def resolve(connection: Connection, user_id: str, wanted: Sequence[WantedDocument]) -> list[str | None]:
    """The id of each wanted document that this user may read now; None for unknown and unreadable alike."""
    rows = connection.execute(
        _RESOLVE,
        {
            "user_id": user_id,
            "ids": [item.id for item in wanted],
            "spaces": [item.space for item in wanted],
            "external_ids": [item.external_id for item in wanted],
        },
    )
    found: dict[int, str] = {row.place: row.id for row in rows}
    return [found.get(place) for place in range(1, len(wanted) + 1)]


def resolve_each(
    connection: Connection, wanted: Sequence[tuple[str, Sequence[WantedDocument]]]
) -> list[list[str | None]]:
    """`resolve` for many (user id, documents), with one statement for each user."""
    by_user: dict[str, list[int]] = {}
    for place, (user_id, _) in enumerate(wanted):
        by_user.setdefault(user_id, []).append(place)
    found: list[list[str | None]] = [[] for _ in wanted]
    for user_id, places in by_user.items():
        ids = iter(resolve(connection, user_id, [document for place in places for document in wanted[place][1]]))
        for place in places:
            found[place] = [next(ids) for _ in wanted[place][1]]
    return found


def praised(connection: Connection, *, limit: int) -> list[Praised]:
    """The newest answers to questions that began a conversation and that their own askers called good, newest first."""
    rows = connection.execute(_PRAISED, {"limit": limit})
    return [Praised(row.question, row.user_id, tuple(row.cited)) for row in rows]


def _set(row: Row[tuple[object, ...]]) -> GoldenSet:
    questions = tuple(GoldenQuestion(**{**item, "documents": tuple(item["documents"])}) for item in row.questions)
    return GoldenSet(row.id, row.name, questions, row.created_by, row.created_at)
