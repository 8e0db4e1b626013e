"""From a bearer token of the identity provider to a user, with the groups that the token names."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

import structlog
from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.names import fitted_name
from kbcore.domain.principal import MemberSource, User
from kbcore.errors import Conflict, Unauthenticated
from kbcore.identity.refusal import TokenRefused
from kbcore.identity.tokens import Presented
from kbcore.metadata import identities, memberships, users
from kbcore.metadata.identities import Identity
from kbcore.observability.tracing import current_trace_id
from kbcore.settings import OidcSettings
from services.auth.refusal import REFUSAL
from services.library.change_events import standing

_log = structlog.get_logger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
_MOST_GROUPS = 2_000
_LONGEST_ID = 255
_NO_TOKEN_YET = datetime.fromtimestamp(0, UTC)


def looks_like_token(credential: str) -> bool:
    """True for three dot-separated parts of base64url: a JSON web token, if it is anything."""
    return _TOKEN.fullmatch(credential) is not None


def caller_of_token(platform: Platform, token: str) -> str:
    """The id of the user whom this access token speaks for; its memberships from tokens are then what it says.

    Rights are not in here: resolve the caller afterwards. Raises `Unauthenticated`, the same whatever is wrong (the log
    says what), and `Unavailable` (`identity_provider_unavailable`) if there are no keys to check tokens with.
    """
    try:
        if platform.tokens is None:
            raise TokenRefused("no identity provider is configured")
        presented = platform.tokens.read(token)
        groups = _groups(presented, platform.settings.oidc)
        with platform.database.statement() as connection:
            known = identities.find_identity(connection, presented.issuer, presented.subject)
        if known is None or known.departed or _is_news(groups, presented, known):
            return _link_and_sync(platform, presented, groups)
        return _usable(known)
    except TokenRefused as refused:
        _log.info("a token was refused", reason=str(refused))
        raise Unauthenticated(REFUSAL) from None


def _link_and_sync(platform: Platform, presented: Presented, groups: frozenset[str] | None) -> str:
    settings = platform.settings.oidc
    with platform.database.begin() as connection:
        identities.hold_identity(connection, presented.issuer, presented.subject)
        known = identities.find_identity(connection, presented.issuer, presented.subject)
        events: list[AuditEvent] = []
        if known is None or known.departed:
            events += _link(connection, settings, presented, known)
            known = identities.find_identity(connection, presented.issuer, presented.subject)
            assert known is not None
        user_id = _usable(known)
        if groups is not None and _is_news(groups, presented, known):
            events += _sync(connection, settings, presented, user_id, groups)
        platform.audit.append(connection, *events)
    return user_id


def _link(
    connection: Connection, settings: OidcSettings, presented: Presented, departed: Identity | None
) -> list[AuditEvent]:
    """Link the user whom an administrator or a directory has named for this subject, else a new one."""
    external_id = presented.claims.get(settings.external_id_claim)
    named = identities.user_of_external_id(connection, external_id) if _is_id(external_id) else None
    if named is not None:
        user_id = named
        events = [_event("identity.linked", user_id)]
    elif departed is not None or _has_departed(connection, presented, external_id):
        raise TokenRefused("its user was removed by the directory")
    elif settings.create_users:
        user = _create(connection, settings, presented)
        user_id = user.id
        made = {"before": None, "after": standing(user), "source": MemberSource.OIDC.value}
        events = [_event("user.changed", user_id, **made)]
    else:
        raise TokenRefused("nobody here is linked to its subject (users are not made: oidc.create_users)")
    identities.link(connection, presented.issuer, presented.subject, user_id, _NO_TOKEN_YET)
    return events


def _has_departed(connection: Connection, presented: Presented, external_id: object) -> bool:
    """True if a directory has removed whom it knew by this id; the subject may be another word, never seen before."""
    if not _is_id(external_id):
        return False
    known = identities.find_identity(connection, presented.issuer, external_id)
    return known is not None and known.departed


def _create(connection: Connection, settings: OidcSettings, presented: Presented) -> User:
    claims = presented.claims
    wanted = claims.get(settings.username_claim)
    name = fitted_name(wanted if isinstance(wanted, str) and wanted else presented.subject, otherwise="user")
    external_id = claims.get(settings.external_id_claim)
    if users.is_named(connection, name):
        # No takeover by name: whoever may choose a user name at the provider would become anyone here.
        raise TokenRefused(f"a user of its name exists; an administrator may set that user's external_id ({name})")
    try:
        return users.create_user(
            connection,
            name=name,
            display_name=_line(claims.get("name")) or name,
            email=_line(claims.get("email")),
            clearance=Classification.of(settings.clearance),
            is_admin=False,
            external_id=external_id if _is_id(external_id) else None,
        )
    except Conflict as conflict:
        raise TokenRefused(conflict.code) from None


def _sync(
    connection: Connection, settings: OidcSettings, presented: Presented, user_id: str, groups: frozenset[str]
) -> list[AuditEvent]:
    found, made = memberships.groups_of_external_ids(connection, groups, create=settings.create_groups)
    moved = memberships.set_groups_of(connection, f"user:{user_id}", set(found.values()), MemberSource.OIDC)
    identities.note_issued(connection, presented.issuer, presented.subject, presented.issued_at)
    events = [_event("group.created", user_id, group=group_id, source=MemberSource.OIDC.value) for group_id in made]
    member, source = [f"user:{user_id}"], MemberSource.OIDC.value
    for group_id in moved.added:
        events.append(_event("membership.changed", user_id, group=group_id, added=member, removed=[], source=source))
    for group_id in moved.removed:
        events.append(_event("membership.changed", user_id, group=group_id, added=[], removed=member, source=source))
    return events


def _groups(presented: Presented, settings: OidcSettings) -> frozenset[str] | None:
    """The groups that the token names; None if it says nothing about them, or not all."""
    claims = presented.claims
    elsewhere = claims.get("_claim_names")  # Azure's overage: too many for a token, to be asked for elsewhere
    if (isinstance(elsewhere, Mapping) and settings.groups_claim in elsewhere) or claims.get("hasgroups"):
        _warn(
            presented,
            "a token names its groups elsewhere, so memberships stay: let the provider send fewer",
        )
        return None
    said = claims.get(settings.groups_claim)
    if said is None:
        return None
    named = [said] if isinstance(said, str) else said
    if not isinstance(named, list) or len(named) > _MOST_GROUPS or not all(_is_id(each) for each in named):
        _warn(presented, "the groups of a token cannot be read, so memberships stay as they are")
        return None
    return frozenset(named)


def _is_news(groups: frozenset[str] | None, presented: Presented, known: Identity) -> bool:
    """Only a newer token changes memberships: an older one would bring back a group that somebody was taken out of."""
    return groups is not None and presented.issued_at > known.issued_at


def _usable(known: Identity) -> str:
    if not known.usable:
        raise TokenRefused("its user is inactive, or a service account")
    return known.user_id


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()


def _line(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) and value.strip() and value.isprintable() else None


def _warn(presented: Presented, event: str) -> None:
    if presented.fresh:  # once a token, not with every request
        _log.warning(event, issuer=presented.issuer)


def _event(kind: str, user_id: str, **detail: Any) -> AuditEvent:
    return AuditEvent(kind=kind, actor=user_id, trace_id=current_trace_id() or None, detail={"user": user_id, **detail})
