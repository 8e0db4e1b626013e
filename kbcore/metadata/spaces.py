"""Spaces: folders of documents with one access policy each."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.domain.document import Space
from kbcore.domain.ids import new_id
from kbcore.domain.principal import Caller
from kbcore.errors import Conflict
from kbcore.metadata.access import IN_EFFECT, WHO_CTE, highest
from kbcore.metadata.policies import create_policy
from kbcore.metadata.tables import documents, policies, policy_entries, spaces
from kbcore.permissions.policy import Policy, Role

_WITH_ROLES = f"""
    WITH RECURSIVE {WHO_CTE}
    SELECT s.{", s.".join(column.name for column in spaces.c)}, COALESCE(r.roles, '{{}}') AS roles
    FROM spaces s LEFT JOIN LATERAL (
        SELECT array_agg(e.role) AS roles FROM policy_entries e JOIN principals USING (principal)
        WHERE e.policy_id = s.policy_id AND {IN_EFFECT}
    ) r ON true
"""
_LIST = sa.text(f"""
    {_WITH_ROLES}
    WHERE (:everything OR (r.roles IS NOT NULL AND array_position(r.roles, NULL) IS NULL))
        AND (CAST(:after AS text) IS NULL OR s.id > :after)
    ORDER BY s.id LIMIT :limit
""")
_FIND = sa.text(f"{_WITH_ROLES} WHERE s.id = :wanted OR s.name = :wanted")


@dataclass(frozen=True, slots=True)
class SpaceAccess:
    """A space and the caller's role in it, None where it has none."""

    space: Space
    role: Role | None


def create_space(connection: Connection, *, name: str, title: str, policy: Policy) -> Space:
    """Add a space with a policy row of its own. Raises `Conflict` (`name_taken`)."""
    policy_id = create_policy(connection, policy)
    row = connection.execute(
        insert(spaces)
        .values(id=new_id(), name=name, title=title, policy_id=policy_id)
        .on_conflict_do_nothing(index_elements=[spaces.c.name])
        .returning(*spaces.c)
    ).one_or_none()
    if row is None:
        raise Conflict(f"There is already a space named {name!r}.", code="name_taken")
    return Space(**row._mapping)


def find_space(connection: Connection, caller: Caller, id_or_name: str) -> SpaceAccess | None:
    """The space with this id or name and the caller's role in it, visible or not; None if there is none."""
    parameters = {"wanted": id_or_name, "user_id": caller.user_id}
    row = connection.execute(_FIND, parameters).one_or_none()
    return None if row is None else _access(row)


def policy_of_space(connection: Connection, space_id: str) -> int:
    """The policy row of a space that exists."""
    return int(connection.execute(sa.select(spaces.c.policy_id).where(spaces.c.id == space_id)).scalar_one())


def list_spaces(
    connection: Connection, caller: Caller, *, everything: bool, after: str | None, limit: int
) -> list[SpaceAccess]:
    """Spaces by id (oldest first): those where the caller has a role, or all of them if `everything`."""
    parameters = {
        "user_id": caller.user_id, "everything": everything, "after": after, "limit": limit,
    }  # fmt: skip
    return [_access(row) for row in connection.execute(_LIST, parameters)]


def update_space(connection: Connection, space_id: str, values: Mapping[str, object]) -> Space:
    """Set name or title. Raises `Conflict` (`name_taken`)."""
    taken = sa.select(spaces.c.id).where(spaces.c.name == values.get("name"), spaces.c.id != space_id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is already a space named {values['name']!r}.", code="name_taken")
    if values:
        connection.execute(sa.update(spaces).where(spaces.c.id == space_id).values(**values))
    return Space(**connection.execute(sa.select(spaces).where(spaces.c.id == space_id)).one()._mapping)


def hold_space(connection: Connection, space_id: str) -> bool:
    """Keep a space from being deleted until the transaction ends; False if it is gone already."""
    query = sa.select(spaces.c.id).where(spaces.c.id == space_id).with_for_update(key_share=True)
    return connection.execute(query).first() is not None


def hold_external_id(connection: Connection, space_id: str, external_id: str) -> None:
    """Let one transaction at a time decide whether an upload with this external id makes a document or a version."""
    name = sa.func.hashtextextended(f"{space_id}\n{external_id}", 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


def delete_space(connection: Connection, space: Space) -> None:
    """Remove an empty space. Raises `Conflict` (`space_not_empty`): deleted documents are history and count too."""
    connection.execute(sa.select(spaces.c.id).where(spaces.c.id == space.id).with_for_update())
    counts = sa.select(
        sa.func.count().filter(documents.c.deleted_at.is_(None)).label("live"), sa.func.count().label("rows")
    ).where(documents.c.space_id == space.id)
    held = connection.execute(counts).one()
    if held.rows:
        raise Conflict(
            f"The space holds {held.live} documents and the history of {held.rows - held.live} deleted ones; "
            "only an empty space can be deleted.",
            code="space_not_empty",
        )
    connection.execute(sa.delete(spaces).where(spaces.c.id == space.id))
    connection.execute(sa.delete(policy_entries).where(policy_entries.c.policy_id == space.policy_id))
    connection.execute(sa.delete(policies).where(policies.c.id == space.policy_id))


def _access(row: sa.Row[tuple[object, ...]]) -> SpaceAccess:
    values = {column.name: row._mapping[column.name] for column in spaces.c}
    return SpaceAccess(Space(**values), highest(row.roles))
