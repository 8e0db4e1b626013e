"""Who would gain and who would lose which documents, for policies before and after a change, as everything is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import ARRAY

from kbcore.domain.principal import EVERYONE
from kbcore.permissions.policy import Denial, Policy

Direction = Literal["gains", "loses"]

_SHOWN_DOCUMENTS = 20

# From each entry down to the people that it means; those on one side only have gained or lost what the unit covers.
_CHANGES = sa.text(f"""
    WITH RECURSIVE entries AS (
        SELECT * FROM unnest(CAST(:sides AS text[]), CAST(:units AS bigint[]), CAST(:principals AS text[]),
            CAST(:denied AS boolean[])) AS e(side, unit, principal, denied)
    ),
    inside(root, member) AS (
        SELECT DISTINCT principal, principal FROM entries
        UNION
        SELECT i.root, m.member FROM inside i JOIN group_members m ON i.member = 'group:' || m.group_id
    ),
    meant(root, user_id) AS (
        SELECT i.root, u.id FROM inside i JOIN users u ON i.member = 'user:' || u.id WHERE u.active
        UNION
        SELECT i.root, u.id FROM inside i, users u WHERE i.member = '{EVERYONE}' AND u.active
    ),
    allowed AS (
        SELECT e.side, e.unit, m.user_id FROM entries e JOIN meant m ON m.root = e.principal
        GROUP BY e.side, e.unit, m.user_id HAVING NOT bool_or(e.denied)
    ),
    changed AS (
        SELECT unit, user_id, min(side) AS side FROM allowed GROUP BY unit, user_id HAVING count(*) = 1
    ),
    affected AS (
        SELECT id, classification, CASE WHEN CAST(:document AS text) IS NULL THEN COALESCE(own_policy_id, 0) ELSE 0 END
            AS unit
        FROM documents WHERE deleted_at IS NULL AND CASE WHEN CAST(:document AS text) IS NULL
            THEN space_id = :space AND (own_policy_id IS NULL OR own_policy_id = ANY(:extending))
            ELSE id = :document END
    ),
    people AS (
        SELECT CASE c.side WHEN 'after' THEN 'gains' ELSE 'loses' END AS direction, c.user_id, u.name,
            count(*) AS documents, (array_agg(a.id ORDER BY a.id))[1:{_SHOWN_DOCUMENTS}] AS document_ids
        FROM changed c JOIN affected a ON a.unit = c.unit
        JOIN users u ON u.id = c.user_id AND a.classification <= u.clearance
        GROUP BY c.side, c.user_id, u.name
    )
    SELECT * FROM (
        SELECT *, count(*) OVER of_direction AS people,
            row_number() OVER (of_direction ORDER BY documents DESC, name) AS place
        FROM people WINDOW of_direction AS (PARTITION BY direction)
    ) p WHERE place <= :limit ORDER BY direction, place
""").bindparams(sa.bindparam("extending", type_=ARRAY(sa.BigInteger)))

_EXTENDING = sa.text("""
    SELECT DISTINCT own_policy_id FROM documents d JOIN policies p ON p.id = d.own_policy_id
    WHERE d.space_id = :space AND d.deleted_at IS NULL AND p.parent_id = :policy
""")

INHERITING = 0
"""The unit of documents that have their space's policy, and of the only document in question."""


@dataclass(frozen=True, slots=True)
class Affected:
    """Somebody whose documents change; `document_ids` are the first 20 of them."""

    user_id: str
    name: str
    documents: int
    document_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Everybody whose documents change in one direction; `people` counts them all, `first` are those with the most."""

    people: int
    first: tuple[Affected, ...]


Units = Mapping[int, Policy]
"""What counts for the documents of each unit: the id of their own policy that extends the space's, or `INHERITING`."""


def extending_policies(connection: Connection, space_id: str, policy_id: int) -> list[int]:
    """The policies of a space's documents that extend the space's."""
    return list(connection.execute(_EXTENDING, {"space": space_id, "policy": policy_id}).scalars())


def changes(
    connection: Connection,
    before: Units,
    after: Units,
    *,
    space_id: str | None = None,
    document_id: str | None = None,
    limit: int,
) -> dict[Direction, Change]:
    """Who gains and who loses, if what counts for a space's documents, or for one document, went from one to the other.

    Entries count that are in effect now; inactive people and deleted documents do not.
    """
    now = connection.execute(sa.select(sa.func.now())).scalar_one()
    entries = [
        (side, unit, entry.principal, isinstance(entry, Denial))
        for side, units in (("before", before), ("after", after))
        for unit, policy in units.items()
        for entry in policy.entries
        if entry.period.holds(now)
    ]
    rows = connection.execute(
        _CHANGES,
        {
            **_columns(entries),
            "space": space_id,
            "document": document_id,
            "extending": [unit for unit in before if unit != INHERITING],
            "limit": limit,
        },
    ).all()
    return {direction: _change([row for row in rows if row.direction == direction]) for direction in ("gains", "loses")}


def _columns(entries: Sequence[tuple[str, int, str, bool]]) -> dict[str, list[object]]:
    names = ("sides", "units", "principals", "denied")
    return {name: [entry[place] for entry in entries] for place, name in enumerate(names)}


def _change(rows: Sequence[sa.Row[tuple[object, ...]]]) -> Change:
    first = tuple(Affected(row.user_id, row.name, row.documents, tuple(row.document_ids)) for row in rows)
    return Change(rows[0].people if rows else 0, first)
