"""Snapshots in SQL. Those of a space are hidden from whoever cannot see the space."""

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.domain.snapshot import Snapshot
from kbcore.errors import Conflict
from kbcore.metadata.access import IN_CHARGE, PRINCIPALS_CTE, READABLE, asker
from kbcore.metadata.tables import epoch, snapshots

# A space is seen as a search sees it: by a role in it, by a single document in it, or by an administrator.
_VISIBLE = f"""
    WITH RECURSIVE {PRINCIPALS_CTE}
    SELECT n.id, n.name, n.space_id, s.name AS space, n.epoch, n.comment, n.created_by, n.created_at
    FROM snapshots n LEFT JOIN spaces s ON s.id = n.space_id
    WHERE EXISTS (SELECT FROM asker) AND (
        n.space_id IS NULL
        OR s.policy_id IN (SELECT policy_id FROM readable_policies)
        OR {IN_CHARGE}
        OR EXISTS (SELECT FROM documents d WHERE d.space_id = s.id AND {READABLE})
    )
"""
_FIND = sa.text(f"{_VISIBLE} AND n.name = :name")
_LIST = sa.text(f"{_VISIBLE} AND (CAST(:after AS text) IS NULL OR n.id < :after) ORDER BY n.id DESC LIMIT :limit")


def find(connection: Connection, caller: Caller, name: str) -> Snapshot | None:
    """The snapshot of this name; None for unknown ones, and for those of spaces that this caller cannot see."""
    row = connection.execute(_FIND, {**asker(caller), "name": name}).one_or_none()
    return None if row is None else Snapshot(**row._mapping)


def list_visible(connection: Connection, caller: Caller, *, after: str | None, limit: int) -> list[Snapshot]:
    """Those of everything and of spaces that this caller sees, newest first; `after` is the last id before."""
    rows = connection.execute(_LIST, {**asker(caller), "after": after, "limit": limit})
    return [Snapshot(**row._mapping) for row in rows]


def insert_present(
    connection: Connection, *, name: str, space_id: str | None, comment: str | None, created_by: str
) -> None:
    """Name the committed epoch, of one space or of everything. Raises `Conflict` (`name_taken`)."""
    present = sa.select(epoch.c.value).scalar_subquery()
    made = connection.execute(
        insert(snapshots)
        .values(id=new_id(), name=name, space_id=space_id, epoch=present, comment=comment, created_by=created_by)
        .on_conflict_do_nothing(index_elements=[snapshots.c.name])
        .returning(snapshots.c.id)
    ).one_or_none()
    if made is None:
        raise Conflict(f"There is already a snapshot named {name!r}.", code="name_taken")


def delete(connection: Connection, snapshot_id: str) -> None:
    """Forget a name; the state that it named stays as it was."""
    connection.execute(sa.delete(snapshots).where(snapshots.c.id == snapshot_id))
