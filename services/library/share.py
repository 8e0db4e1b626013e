"""Who may do what: reading and setting the policies of spaces and of single documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from kbcore.errors import Unprocessable
from kbcore.metadata.policies import intern_policy, names_of_principals, read_policy
from kbcore.permissions.policy import Grant, Policy, Role
from services.library.principals import resolve_principals


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy as people write and read it: names instead of ids, in a stable order."""

    allow: Sequence[tuple[str, Role]]
    deny: Sequence[str]


def to_policy(connection: Connection, named: NamedPolicy) -> Policy:
    """The policy that is meant. Raises `Unprocessable` (`unknown_principal`, `principal_repeated`)."""
    names = [name for name, _ in named.allow] + list(named.deny)
    found = resolve_principals(connection, names)
    if len({found[name] for name in names}) < len(names):
        twice = next(name for name in names if sum(found[other] == found[name] for other in names) > 1)
        raise Unprocessable(f"{twice!r} is named twice; give it one role or deny it.", code="principal_repeated")
    return Policy(
        allow=frozenset(Grant(found[name], role) for name, role in named.allow),
        deny=frozenset(found[name] for name in named.deny),
    )


def to_named(connection: Connection, policy: Policy) -> NamedPolicy:
    """The policy with the names that its principals have now."""
    shown = names_of_principals(connection, policy.deny | {grant.principal for grant in policy.allow})
    return NamedPolicy(
        allow=sorted((shown[grant.principal], grant.role) for grant in policy.allow),
        deny=sorted(shown[principal] for principal in policy.deny),
    )


def policy_of(connection: Connection, policy_id: int) -> NamedPolicy:
    """The policy in a row."""
    return to_named(connection, read_policy(connection, policy_id))


def own_policy_id(connection: Connection, policy: Policy | None) -> int | None:
    """The column value that gives a document this policy of its own; None = its space's."""
    return None if policy is None else intern_policy(connection, policy)
