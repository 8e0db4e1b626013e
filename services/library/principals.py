"""Principals as people write them (`group:hr`) and as they are stored (`group:<id>`)."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from kbcore.errors import Unprocessable
from kbcore.metadata.policies import principals_by_name


def resolve_principals(connection: Connection, names: Collection[str]) -> Mapping[str, str]:
    """Each name to its stored principal. Raises `Unprocessable` (`unknown_principal`) naming the first unknown one."""
    found = principals_by_name(connection, names)
    for name in names:
        if name not in found:
            raise Unprocessable(
                f"{name!r} is not a principal: write everyone, user:NAME or group:NAME of a user or group that exists.",
                code="unknown_principal",
            )
    return found
