"""What the audit log says of changes to who may do what: before and after, by ids."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kbcore.audit.events import AuditEvent
from kbcore.domain.principal import ApiKey, Caller, User
from kbcore.permissions.policy import Period, Policy


def policy_changed(
    caller: Caller, before: Policy | None, after: Policy | None, *, space: str, document: str | None = None
) -> AuditEvent:
    """A space's policy, or a document's own; None = it has none of its own."""
    return AuditEvent.by(
        caller,
        "policy.changed",
        documents=() if document is None else (document,),
        space=space,
        before=_policy(before),
        after=_policy(after),
    )


def membership_changed(
    caller: Caller, group: str, *, added: Iterable[str] = (), removed: Iterable[str] = ()
) -> tuple[AuditEvent, ...]:
    """Principals put into a group, or taken out; nothing if none was."""
    joined, left = sorted(added), sorted(removed)
    if not joined and not left:
        return ()
    return (AuditEvent.by(caller, "membership.changed", group=group, added=joined, removed=left),)


def user_changed(caller: Caller, before: User | None, after: User | None) -> tuple[AuditEvent, ...]:
    """What somebody is or may do, and that a directory's id was given to it or taken. None = not there. No names."""
    was, becomes = standing(before), standing(after)
    known = before or after
    events: tuple[AuditEvent, ...] = ()
    if known is not None and was != becomes:
        events = (AuditEvent.by(caller, "user.changed", user=known.id, before=was, after=becomes),)
    if after is not None and after.external_id and (before is None or before.external_id != after.external_id):
        events = (*events, AuditEvent.by(caller, "identity.linked", user=after.id))
    if before is not None and after is not None and before.external_id and not after.external_id:
        events = (*events, AuditEvent.by(caller, "identity.unlinked", user=after.id))
    return events


def key_made(caller: Caller | None, key: ApiKey) -> AuditEvent:
    """A new key; `caller` None = made on the machine itself."""
    detail: dict[str, Any] = {"key": key.id, **_key(key)}
    if caller is None:
        return AuditEvent("key.made", detail={**detail, "where": "on the machine"})
    return AuditEvent.by(caller, "key.made", **detail)


def key_changed(caller: Caller, before: ApiKey, after: ApiKey) -> tuple[AuditEvent, ...]:
    """What a key may be used for, and until when; nothing if only its name changed."""
    was, becomes = _key(before), _key(after)
    if was == becomes:
        return ()
    return (AuditEvent.by(caller, "key.changed", key=after.id, before=was, after=becomes),)


def key_revoked(caller: Caller, key: ApiKey) -> AuditEvent:
    """A key that is refused from now on."""
    return AuditEvent.by(caller, "key.revoked", key=key.id, user=key.user_id)


def _policy(policy: Policy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    entries = [{"principal": each.principal, "role": each.role.value, **_period(each.period)} for each in policy.allow]
    entries += [{"principal": each.principal, "role": None, **_period(each.period)} for each in policy.deny]
    return {
        "entries": sorted(entries, key=lambda entry: (str(entry["principal"]), str(entry))),
        "extends_space": policy.extends_space,
    }


def _period(period: Period) -> dict[str, str | None]:
    return {"effective_from": _time(period.begins), "effective_to": _time(period.ends)}


def standing(user: User | None) -> dict[str, Any] | None:
    """What decides about somebody's rights, as the audit log has it."""
    if user is None:
        return None
    return {
        "kind": user.kind.value,
        "clearance": user.clearance.word,
        "is_admin": user.is_admin,
        "is_auditor": user.is_auditor,
        "active": user.active,
    }


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "user": key.user_id,
        "key_kind": key.kind.value,
        "scopes": None if key.scopes is None else sorted(scope.value for scope in key.scopes),
        "acts_for": key.acts_for,
        "expires_at": _time(key.expires_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
