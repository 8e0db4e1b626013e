"""Logging in with a password, out again, and setting passwords."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller, KeyKind, User, UserKind
from kbcore.errors import Conflict, Forbidden, TooManyRequests, Unauthenticated, Unprocessable
from kbcore.metadata import api_keys, users
from kbcore.observability.tracing import current_trace_id
from services.auth.api_keys import IssuedKey, issue_key
from services.auth.attempts import Attempts
from services.auth.passwords import Passwords
from services.auth.watch import Watch

ME = "me"


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that may be set: whose, its hash, and the hash that it replaces."""

    user: User
    hash: str
    replaces: str | None
    by_its_owner: bool


class PasswordLogin:
    """One for each API process."""

    def __init__(self, platform: Platform, watch: Watch, passwords: Passwords | None = None) -> None:
        settings = platform.settings.login
        self._platform = platform
        self._watch = watch
        self._settings = settings
        self._passwords = passwords or Passwords(min_chars=settings.min_password_chars)
        self._attempts = Attempts(platform.settings.redis.url.get_secret_value(), settings)

    def log_in(self, name: str, password: str, address: str | None) -> IssuedKey:
        """A session for the person of this name.

        Raises `Unauthenticated`, the same for an unknown name, a wrong password, a user without one, an inactive one
        and a service account, all of them after the same work; `TooManyRequests` (`too_many_attempts`), `Forbidden`
        (`login_disabled`), `Unavailable`.
        """
        name = unicodedata.normalize("NFC", name)  # as names are kept
        if not self._settings.enabled:
            raise Forbidden("Logging in with a password is switched off here.", code="login_disabled")
        try:
            self._attempts.count(self._pseudonym(name), address)
        except TooManyRequests:
            self._record_refusal("too_many_attempts", name, None, address)
            raise
        with self._platform.database.begin() as connection:
            found = users.with_password(connection, name)
        stored = found[1] if found is not None and _may_log_in(found[0]) else None
        if not self._passwords.verify(stored, password) or stored is None:
            raise self._refused(name, found[0] if found is not None else None, address)
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(stored) else None
        issued = self._open_session(name, stored, renewed, address)
        if issued is None:
            raise self._refused(name, None, address)
        self._attempts.forget(self._pseudonym(name))
        return issued

    def log_out(self, caller: Caller) -> None:
        """End the caller's session. Raises `Conflict` (`not_a_session`) for a key."""
        with self._platform.database.begin() as connection:
            key = None if caller.key_id is None else api_keys.get_key(connection, caller.key_id)
            if key is None or key.kind is not KeyKind.SESSION:
                raise Conflict("Only a session ends by logging out; a key is revoked.", code="not_a_session")
            api_keys.revoke_key(connection, key.id)
            self._platform.audit.append(connection, AuditEvent.by(caller, "logout"))

    def new_password(self, caller: Caller, user: str, password: str, old: str | None) -> NewPassword:
        """Check that the caller may set this password and hash it; `set_password` then keeps it.

        `user` is a name, an id, or `me`. Whoever sets its own says the old one; administrators set those of
        others, and first ones.
        Raises `Forbidden` (also `wrong_password`), `NotFound("user")`, `Unprocessable` (`not_a_person`,
        `weak_password`), `TooManyRequests` (`too_many_attempts`), `Unavailable`.
        """
        own = user in (ME, caller.user_id, caller.name)
        if not own and not caller.is_admin:
            raise Forbidden("Only administrators set the passwords of others.")
        with self._platform.database.begin() as connection:
            target = users.get_user(connection, caller.user_id if own else user)
            found = users.with_password(connection, target.name)
        stored = None if found is None else found[1]
        if target.kind is not UserKind.PERSON:
            raise Unprocessable("A service account has keys only.", code="not_a_person")
        if own and not (caller.is_admin and stored is None):  # an administrator gives first ones, to itself as well
            self._attempts.count(self._pseudonym(target.name), caller.address)
            if not self._passwords.verify(stored, old or ""):
                raise Forbidden("The old password is wrong, or there is none yet.", code="wrong_password")
            self._attempts.forget(self._pseudonym(target.name))
        self._passwords.require_good(password, target.name)
        return NewPassword(target, self._passwords.hash(password), stored, by_its_owner=own)

    def _open_session(self, name: str, verified: str, renewed: str | None, address: str | None) -> IssuedKey | None:
        """None if the password, or the user, was changed while it was being verified."""
        with self._platform.database.begin() as connection:
            found = users.with_password(connection, name, lock=True)
            if found is None or not _may_log_in(found[0]) or found[1] != verified:
                return None
            user = found[0]
            if renewed is not None:
                users.set_password(connection, user.id, renewed)
            api_keys.forget_ended_sessions(connection, user.id)
            ends = datetime.now(UTC) + timedelta(hours=self._settings.session_hours)
            issued = issue_key(connection, user_id=user.id, name="login", kind=KeyKind.SESSION, expires_at=ends)
            event = AuditEvent(
                "login.succeeded",
                actor=user.id,
                key_id=issued.key.id,
                address=address,
                trace_id=current_trace_id() or None,
            )
            self._platform.audit.append(connection, event)
            return issued

    def _refused(self, name: str, user: User | None, address: str | None) -> Unauthenticated:
        self._record_refusal("wrong", name, user, address)
        return Unauthenticated("The name or the password is wrong.", code="login_refused")

    def _record_refusal(self, reason: str, name: str, user: User | None, address: str | None) -> None:
        """Whose login it was to be is said by id if there is such a user, else only by a pseudonym."""
        detail = {"reason": reason, "name": self._pseudonym(name), "user": None if user is None else user.id}
        trace_id = current_trace_id() or None
        self._watch.refused(AuditEvent("login.refused", address=address, trace_id=trace_id, detail=detail))

    def _pseudonym(self, name: str) -> str:
        return self._platform.audit.key.pseudonym(name)


def set_password(connection: Connection, new: NewPassword) -> None:
    """Keep a new password; every session of its user ends. Raises `Conflict` if the old one was changed meanwhile."""
    found = users.with_password(connection, new.user.name, lock=True)
    if found is None or found[0].id != new.user.id or (new.by_its_owner and found[1] != new.replaces):
        raise Conflict("The password was changed by somebody else this moment.")
    users.set_password(connection, new.user.id, new.hash)
    api_keys.end_sessions(connection, new.user.id)


def _may_log_in(user: User) -> bool:
    return user.active and user.kind is UserKind.PERSON
