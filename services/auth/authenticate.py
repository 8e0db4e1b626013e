"""From a request's headers to a caller, in one round trip to SQL."""

import unicodedata
from dataclasses import dataclass, replace
from urllib.parse import unquote

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller, KeyKind
from kbcore.errors import Forbidden, TooManyRequests, Unauthenticated
from kbcore.metadata.access import resolve_caller
from kbcore.metadata.api_keys import PresentedKey, find_presented, note_use
from kbcore.metadata.users import throttled_seconds
from kbcore.observability.tracing import current_trace_id
from services.auth.api_keys import NO_HASH, key_id_of, matches
from services.auth.oidc import caller_of_token, looks_like_token
from services.auth.refusal import REFUSAL
from services.auth.watch import Watch

ON_BEHALF_OF = "Zhiku-On-Behalf-Of"
"""The header in which a service account names the person that it acts for: by id or name, in UTF-8 or %-encoded."""

_CANNOT_ACT = "This key cannot act for that user."
_THROTTLED = "Your requests are put off for a while, because they were out of the ordinary."


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request says of who calls. `on_behalf_of` holds every value of that header; `address` is the client's."""

    authorization: str | None
    on_behalf_of: tuple[str, ...] = ()
    address: str | None = None


def authenticate(platform: Platform, watch: Watch, sent: Sent) -> Caller:
    """The caller behind a request, with its groups as they are now.

    Raises `Unauthenticated`, the same for no key, a malformed, unknown, wrong, expired or revoked one and an inactive
    user; `Forbidden` (`cannot_act_for`); `TooManyRequests` (`throttled`); `AclUnavailable` if SQL does not answer.
    """
    watch.settle()
    scheme, _, token = (sent.authorization or "").strip().partition(" ")
    if not scheme:
        raise Unauthenticated(REFUSAL)
    token = token.strip() if scheme.lower() == "bearer" else ""
    if looks_like_token(token):
        return _by_token(platform, watch, sent, token)
    return _by_key(platform, watch, sent, token)


def _by_token(platform: Platform, watch: Watch, sent: Sent, token: str) -> Caller:
    """Of the identity provider. Raises what `authenticate` raises, and `Unavailable` if its keys cannot be had."""
    try:
        user_id = caller_of_token(platform, token)
    except Unauthenticated:
        raise _refused(watch, sent, "token") from None
    with platform.database.statement() as connection:
        caller = resolve_caller(connection, user_id)
        throttled_s = throttled_seconds(connection, user_id)
    if caller is None:
        raise _refused(watch, sent, "token")
    return admitted(caller, sent, throttled_s=throttled_s)


def _by_key(platform: Platform, watch: Watch, sent: Sent, token: str) -> Caller:
    key_id = key_id_of(token)
    if key_id is None:
        raise _refused(watch, sent, "unknown")
    with platform.database.statement() as connection:
        presented = find_presented(connection, key_id, _person(sent))
    reason = _why_not(platform, presented, matches(token, presented.secret_hash if presented else NO_HASH))
    if presented is None or reason is not None:
        raise _refused(watch, sent, reason or "unknown", presented, key_id)
    caller = admitted(presented.caller, sent, throttled_s=presented.throttled_s)
    if watch.is_first_use(key_id, sent.address) or presented.use_is_news:
        _note_use(platform, watch, caller, key_id, is_news=presented.use_is_news)
    return caller


def _note_use(platform: Platform, watch: Watch, caller: Caller, key_id: str, *, is_news: bool) -> None:
    try:
        with platform.database.begin() as connection:
            if is_news:
                note_use(connection, key_id)
            platform.audit.append(connection, AuditEvent.by(caller, "key.used"))
    except Exception:
        watch.forget_use(key_id, caller.address)
        raise


def admitted(caller: Caller | None, sent: Sent, *, throttled_s: int) -> Caller:
    """The caller of an accepted credential; None = it may not act for whom the request names.

    Raises `TooManyRequests` (`throttled`), `Forbidden` (`cannot_act_for`: also when the credential acts for nobody
    and the request wants it to, which must not be ignored).
    """
    if throttled_s:
        raise TooManyRequests(_THROTTLED, retry_after=throttled_s, code="throttled")
    if caller is None or (sent.on_behalf_of and caller.acting_id is None) or len(sent.on_behalf_of) > 1:
        raise Forbidden(_CANNOT_ACT, code="cannot_act_for")
    return replace(caller, address=sent.address)


def _person(sent: Sent) -> str | None:
    """Whom the request wants to act for; a name that nobody can have if it is none."""
    if not sent.on_behalf_of:
        return None
    try:
        name = sent.on_behalf_of[0].encode("latin-1").decode("utf-8")  # as header fields arrive
    except UnicodeError:
        return ""
    name = unicodedata.normalize("NFC", unquote(name))  # as names are kept
    return "" if "\x00" in name else name


def _why_not(platform: Platform, presented: PresentedKey | None, genuine: bool) -> str | None:
    if presented is None:
        return "unknown"
    if not genuine:
        return "wrong"
    if presented.kind is KeyKind.SESSION and not platform.settings.login.enabled:
        return "login_disabled"
    return presented.refusal


def _refused(
    watch: Watch, sent: Sent, reason: str, presented: PresentedKey | None = None, key_id: str | None = None
) -> Unauthenticated:
    """Recorded as far as it is known whose key it was: a guessed secret says nothing about who guesses."""
    known = presented is not None and reason != "wrong"
    watch.refused(
        AuditEvent(
            "authentication.refused",
            actor=presented.holder_id if presented is not None and known else None,
            key_id=key_id if presented is not None else None,
            address=sent.address,
            trace_id=current_trace_id() or None,
            detail={"reason": reason},
        )
    )
    return Unauthenticated(REFUSAL)
