"""Who may do what: reading and setting the policies of spaces and of single documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.audit.events import AuditEvent
from kbcore.domain.document import Document
from kbcore.domain.principal import Caller
from kbcore.errors import Unprocessable
from kbcore.metadata.policies import intern_policy, names_of_principals, read_policy
from kbcore.metadata.spaces import policy_of_space
from kbcore.permissions.policy import ALWAYS, Denial, Grant, Period, Policy, Role
from services.library.change_events import policy_changed
from services.library.principals import resolve_principals


@dataclass(frozen=True, slots=True)
class NamedEntry:
    """An entry as people write and read it; `role` None = denied."""

    principal: str
    role: Role | None
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy as people write and read it: names instead of ids, in a stable order."""

    entries: Sequence[NamedEntry]
    extends_space: bool = False


def to_policy(connection: Connection, named: NamedPolicy) -> Policy:
    """The policy that is meant. Raises `Unprocessable` (`unknown_principal`, `principal_repeated`)."""
    names = [entry.principal for entry in named.entries]
    found = resolve_principals(connection, names)
    if len({found[name] for name in names}) < len(names):
        twice = next(name for name in names if sum(found[other] == found[name] for other in names) > 1)
        raise Unprocessable(f"{twice!r} is named twice; give it one role or deny it.", code="principal_repeated")
    return Policy(
        allow=frozenset(
            Grant(found[entry.principal], entry.role, entry.period) for entry in named.entries if entry.role is not None
        ),
        deny=frozenset(Denial(found[entry.principal], entry.period) for entry in named.entries if entry.role is None),
        extends_space=named.extends_space,
    )


def to_space_policy(connection: Connection, named: NamedPolicy) -> Policy:
    """`to_policy` for a space, which has no other policy to extend. Raises `Unprocessable` (`nothing_to_extend`)."""
    if named.extends_space:
        raise Unprocessable("extends_space is for a document's own policy.", code="nothing_to_extend")
    return to_policy(connection, named)


def to_named(connection: Connection, policy: Policy) -> NamedPolicy:
    """The policy with the names that its principals have now; grants first, each by name."""
    entries = [NamedEntry(grant.principal, grant.role, grant.period) for grant in policy.allow]
    entries += [NamedEntry(denial.principal, None, denial.period) for denial in policy.deny]
    shown = names_of_principals(connection, {entry.principal for entry in entries})
    named = [NamedEntry(shown[entry.principal], entry.role, entry.period) for entry in entries]
    return NamedPolicy(sorted(named, key=lambda entry: (entry.role is None, entry.principal)), policy.extends_space)


def policy_of(connection: Connection, policy_id: int) -> NamedPolicy:
    """The policy in a row."""
    return to_named(connection, read_policy(connection, policy_id))


def own_policy_id(connection: Connection, policy: Policy | None, document: Document) -> int | None:
    """The column value that gives a document this policy of its own; None = its space's."""
    if policy is None:
        return None
    return intern_policy(connection, policy, of_space=policy_of_space(connection, document.space_id))


def own_policy_changed(
    connection: Connection, caller: Caller, before: Document, own_policy_id: object
) -> tuple[AuditEvent, ...]:
    """What the audit log says when a document gets this policy of its own; nothing if it had it already."""
    if before.own_policy_id == own_policy_id:
        return ()
    was, becomes = (
        read_policy(connection, each) if isinstance(each, int) else None
        for each in (before.own_policy_id, own_policy_id)
    )
    return (policy_changed(caller, was, becomes, space=before.space_id, document=before.id),)
