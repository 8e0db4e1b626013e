"""Naming the present state, and who may: administrators for everything, its managers for a space."""

from sqlalchemy import Connection

from kbcore.domain.principal import Caller
from kbcore.domain.snapshot import Snapshot
from kbcore.errors import Forbidden, NotFound
from kbcore.metadata import snapshots
from services.library.access import managed_space


def take_snapshot(
    connection: Connection, caller: Caller, *, name: str, space: str | None, comment: str | None
) -> Snapshot:
    """Name the present state. Raises `NotFound("space")`, `Forbidden`, `Conflict` (`name_taken`)."""
    space_id = taken_space(connection, caller, space)
    snapshots.insert_present(connection, name=name, space_id=space_id, comment=comment, created_by=caller.user_id)
    return visible_snapshot(connection, caller, name)


def taken_space(connection: Connection, caller: Caller, space: str | None) -> str | None:
    """The id of a space whose state the caller may name; None = of everything. Raises as `take_snapshot`."""
    if space is not None:
        return managed_space(connection, caller, space).space.id
    _require_admin(caller)
    return None


def visible_snapshot(connection: Connection, caller: Caller, name: str) -> Snapshot:
    """The snapshot, if the caller sees it. Raises `NotFound("snapshot")`."""
    found = snapshots.find(connection, caller, name)
    if found is None:
        raise NotFound("snapshot")
    return found


def delete_snapshot(connection: Connection, caller: Caller, name: str) -> None:
    """Forget the name. Raises `NotFound("snapshot")`, `Forbidden`."""
    found = visible_snapshot(connection, caller, name)
    if found.space_id is None:
        _require_admin(caller)
    else:
        _require_manager(connection, caller, found.space_id)
    snapshots.delete(connection, found.id)


def _require_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("Only administrators name the state of everything; name a space that you manage.")


def _require_manager(connection: Connection, caller: Caller, space_id: str) -> None:
    try:
        managed_space(connection, caller, space_id)
    except NotFound:  # it reads a document of the space, so it sees the snapshot, but has no role in the space
        raise Forbidden("This needs the role manager in the snapshot's space.") from None
