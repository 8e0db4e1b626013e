"""Users: people and service accounts."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from kbcore.domain.document import Classification
from kbcore.domain.ids import new_id
from kbcore.domain.principal import User, UserKind
from kbcore.errors import Conflict, NotFound
from kbcore.metadata.api_keys import end_sessions
from kbcore.metadata.tables import group_members, identities, policies, policy_entries, users

DEPARTED = "#"
"""How the name of a user begins whom a directory has removed; no name that people give does."""

_LAST_ADMIN_LOCK = 0x5A4841444D  # "ZHADM": serialises changes that could leave nobody in charge


def create_user(
    connection: Connection,
    *,
    name: str,
    display_name: str,
    email: str | None,
    clearance: Classification,
    is_admin: bool,
    is_auditor: bool = False,
    kind: UserKind = UserKind.PERSON,
    external_id: str | None = None,
) -> User:
    """Add a user. Raises `Conflict` (`name_taken`, `external_id_taken`)."""
    _require_free_external_id(connection, external_id)
    row = connection.execute(
        insert(users)
        .values(
            id=new_id(),
            name=name,
            display_name=display_name,
            email=email,
            clearance=int(clearance),
            is_admin=is_admin,
            is_auditor=is_auditor,
            kind=kind,
            external_id=external_id,
        )
        .on_conflict_do_nothing(index_elements=[users.c.name])
        .returning(*users.c)
    ).one_or_none()
    if row is None:
        raise Conflict(f"There is already a user named {name!r}.", code="name_taken")
    return _user(row)


def get_user(connection: Connection, id_or_name: str) -> User:
    """The user with this id or name. Raises `NotFound("user")`."""
    row = connection.execute(
        sa.select(users).where(sa.or_(users.c.id == id_or_name, users.c.name == id_or_name))
    ).one_or_none()
    if row is None:
        raise NotFound("user")
    return _user(row)


def is_named(connection: Connection, name: str, *, besides: str = "") -> bool:
    """True if there is a user of this name, in whatever case: two that differ in that alone would be taken for one."""
    named = sa.select(users.c.id).where(sa.func.lower(users.c.name) == sa.func.lower(name), users.c.id != besides)
    return connection.execute(named).first() is not None


def any_user(connection: Connection) -> bool:
    """True if there is at least one user."""
    return connection.execute(sa.select(sa.exists().select_from(users))).scalar_one()


def list_users(connection: Connection, *, after: str | None, limit: int) -> list[User]:
    """Users by id (oldest first), those after the id `after`."""
    query = sa.select(users).order_by(users.c.id).limit(limit)
    if after is not None:
        query = query.where(users.c.id > after)
    return [_user(row) for row in connection.execute(query)]


def select_users(connection: Connection, *conditions: sa.ColumnElement[bool], offset: int, limit: int) -> list[User]:
    """Users that fit all conditions on the table, by id (oldest first)."""
    query = sa.select(users).where(*conditions).order_by(users.c.id).offset(offset).limit(limit)
    return [_user(row) for row in connection.execute(query)]


def sample_active(connection: Connection, *, seed: str, limit: int) -> list[str]:
    """Ids of at most `limit` active users, drawn by the seed: the same ones while nobody comes or goes."""
    drawn = sa.func.md5(users.c.id + sa.bindparam("seed", seed, type_=sa.Text))
    return list(connection.execute(sa.select(users.c.id).where(users.c.active).order_by(drawn).limit(limit)).scalars())


def update_user(connection: Connection, user_id: str, values: Mapping[str, object]) -> User:
    """Set columns of a user. Whom tokens linked by an `external_id` that is replaced is linked no more.

    Raises `NotFound("user")`, `Conflict` (`name_taken`, `external_id_taken`, `last_admin`).
    """
    hold_last_admin(connection)
    before = get_user(connection, user_id)
    taken = sa.select(users.c.id).where(users.c.name == values.get("name"), users.c.id != user_id)
    if connection.execute(taken).first() is not None:
        raise Conflict(f"There is already a user named {values['name']!r}.", code="name_taken")
    _require_free_external_id(connection, values.get("external_id"), besides=user_id)
    row = (
        connection.execute(sa.update(users).where(users.c.id == user_id).values(**values).returning(*users.c)).one()
        if values
        else None
    )
    after = _user(row) if row is not None else before
    if before.active and not after.active:
        end_sessions(connection, user_id)  # else they would live again with the user
    if before.external_id not in (None, after.external_id) and not after.name.startswith(DEPARTED):
        # Else a subject that was linked wrongly, or by a thief, would stay this user for ever. The links of whom a
        # directory has removed stay: they are what refuses its tokens.
        connection.execute(sa.delete(identities).where(identities.c.user_id == user_id))
    if _in_charge(before) and not _in_charge(after):
        _require_an_admin(connection)
    return after


def delete_user(connection: Connection, user_id: str) -> None:
    """Remove a user with keys, memberships and entries in space policies. Raises `Conflict` (`last_admin`)."""
    hold_last_admin(connection)
    user = get_user(connection, user_id)
    connection.execute(sa.delete(users).where(users.c.id == user_id))
    if _in_charge(user):
        _require_an_admin(connection)
    principal = f"user:{user_id}"
    connection.execute(sa.delete(group_members).where(group_members.c.member == principal))
    forget_grants(connection, principal)


def forget_grants(connection: Connection, principal: str) -> None:
    """Take a principal out of the policies of spaces; those of documents are shared and never change."""
    owned_by_a_space = sa.select(policies.c.id).where(policies.c.digest.is_(None))
    connection.execute(
        sa.delete(policy_entries).where(
            policy_entries.c.principal == principal, policy_entries.c.policy_id.in_(owned_by_a_space)
        )
    )


def with_password(connection: Connection, name: str, *, lock: bool = False) -> tuple[User, str | None] | None:
    """The user of exactly this name and the Argon2id hash of its password, None if it has none.

    With `lock` nobody changes either until the transaction ends.
    """
    query = sa.select(users).where(users.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else (_user(row), row.password_hash)


def set_password(connection: Connection, user_id: str, password_hash: str) -> None:
    """Keep the hash of a password."""
    connection.execute(sa.update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def throttled_seconds(connection: Connection, user_id: str) -> int:
    """For how many seconds more this user's requests are put off; 0 = not."""
    left = sa.func.ceil(sa.extract("epoch", users.c.throttled_until - sa.func.now()))
    return max(0, int(connection.execute(sa.select(left).where(users.c.id == user_id)).scalar() or 0))


def _require_free_external_id(connection: Connection, external_id: object, *, besides: str = "") -> None:
    taken = sa.select(users.c.id).where(users.c.external_id == external_id, users.c.id != besides)
    if external_id is not None and connection.execute(taken).first() is not None:
        raise Conflict("Another user has this external_id already.", code="external_id_taken")


def hold_last_admin(connection: Connection) -> None:
    """Let nobody else change who is in charge until the transaction ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LAST_ADMIN_LOCK)))


def _in_charge(user: User) -> bool:
    return user.is_admin and user.active


def _require_an_admin(connection: Connection) -> None:
    left = sa.select(sa.exists().where(users.c.is_admin, users.c.active))
    if not connection.execute(left).scalar_one():
        raise Conflict("This is the last active administrator; name another one first.", code="last_admin")


def _user(row: sa.Row[tuple[object, ...]]) -> User:
    return User(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        email=row.email,
        clearance=Classification(row.clearance),
        is_admin=row.is_admin,
        is_auditor=row.is_auditor,
        active=row.active,
        kind=UserKind(row.kind),
        external_id=row.external_id,
        created_at=row.created_at,
    )
