"""Saying that an answer about the past may be incomplete, because retention has purged some of it."""

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata.purged_history import incomplete_spaces


def gaps(platform: Platform, caller: Caller, as_of: str | None, epoch: int, spaces: list[str] | None) -> list[str]:
    """Names of the spaces whose past at this epoch is incomplete; none, and nothing is asked, about the present."""
    if as_of is None:
        return []
    with platform.database.statement() as connection:
        return incomplete_spaces(connection, caller.user_id, epoch, spaces)
