"""Saying that an answer about the past may be incomplete, because retention has purged some of it."""

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata.purged_history import incomplete_spaces
from services.query.found import Found


def gaps(platform: Platform, caller: Caller, found: Found, spaces: list[str] | None) -> list[str]:
    """Names of the spaces that no longer have all that was asked about; none, and nothing is asked, of the present."""
    if found.as_of.present:
        return []
    epoch, history = found.standpoint.epoch, found.standpoint.history
    with platform.database.statement() as connection:
        return incomplete_spaces(connection, caller.user_id, epoch, spaces, history=history)
