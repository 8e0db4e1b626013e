"""Who an identity provider says that somebody is: its (issuer, subject), linked to a user."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.domain.principal import UserKind
from kbcore.metadata.tables import identities, users
from kbcore.metadata.users import DEPARTED

_FOUND = sa.text("""
    SELECT u.id, u.name, u.active, u.kind, (SELECT max(issued_at) FROM identities WHERE user_id = u.id) AS issued_at
    FROM identities i JOIN users u ON u.id = i.user_id
    WHERE i.issuer = :issuer AND i.subject = :subject
""")


@dataclass(frozen=True, slots=True)
class Identity:
    """A linked user. `issued_at` is of the token that its memberships come from, whichever of its subjects sent it.

    `usable` is False for inactive users and service accounts; `departed` if a directory has removed the user.
    """

    user_id: str
    issued_at: datetime
    usable: bool
    departed: bool


def find_identity(connection: Connection, issuer: str, subject: str) -> Identity | None:
    """The user linked to this subject, in one statement; None if there is none."""
    row = connection.execute(_FOUND, {"issuer": issuer, "subject": subject}).one_or_none()
    if row is None:
        return None
    usable = row.active and row.kind == UserKind.PERSON
    return Identity(row.id, row.issued_at, usable, row.name.startswith(DEPARTED))


def hold_identity(connection: Connection, issuer: str, subject: str) -> None:
    """Let nobody else link or change this subject before the transaction ends."""
    key = sa.func.hashtextextended(sa.func.concat(issuer, "\n", subject), 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def link(connection: Connection, issuer: str, subject: str, user_id: str, issued_at: datetime) -> None:
    """Say that this subject is that user, whoever it was before."""
    put = insert(identities).values(issuer=issuer, subject=subject, user_id=user_id, issued_at=issued_at)
    connection.execute(
        put.on_conflict_do_update(
            index_elements=[identities.c.issuer, identities.c.subject],
            set_={"user_id": put.excluded.user_id, "issued_at": put.excluded.issued_at},
        )
    )


def note_issued(connection: Connection, issuer: str, subject: str, issued_at: datetime) -> None:
    """Remember which token the memberships come from."""
    connection.execute(
        sa.update(identities)
        .where(identities.c.issuer == issuer, identities.c.subject == subject)
        .values(issued_at=issued_at)
    )


def user_of_external_id(connection: Connection, external_id: str) -> str | None:
    """The user that a directory knows by this id; None if there is none."""
    return connection.execute(sa.select(users.c.id).where(users.c.external_id == external_id)).scalar_one_or_none()
