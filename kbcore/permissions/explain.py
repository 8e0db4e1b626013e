"""Why somebody may or may not read a document: the same rules as in `resolve`, step by step."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from kbcore.domain.document import Classification
from kbcore.domain.principal import EVERYONE
from kbcore.permissions.policy import Denial, Grant, Policy, Role, policy_that_counts
from kbcore.permissions.resolve import paths_of


class Rule(StrEnum):
    """What decided, in the order in which the rules are asked; the first that applies does."""

    USER_INACTIVE = "user_inactive"
    DOCUMENT_DELETED = "document_deleted"
    DENIED = "denied"
    NOT_NAMED = "not_named"
    CLEARANCE_TOO_LOW = "clearance_too_low"
    GRANTED = "granted"


@dataclass(frozen=True, slots=True)
class Guards:
    """All that decides about one person and one document at one moment.

    `members` maps groups' ids to their direct members; those around the person are enough.
    """

    at: datetime
    active: bool
    clearance: Classification
    members: Mapping[str, Set[str]]
    deleted: bool
    classification: Classification
    own: Policy | None
    of_space: Policy


@dataclass(frozen=True, slots=True)
class Named:
    """An entry of a policy that counts and that names the person.

    `path` is how it comes to be meant: itself, the group that it is in, the group that this is in …, up to the entry's
    principal. `in_effect` is False for an entry whose time has not come or is over.
    """

    entry: Grant | Denial
    source: Literal["document", "space"]
    path: tuple[str, ...]
    in_effect: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether the person may read the document, which rule decided, and the entries that name it."""

    readable: bool
    rule: Rule
    role: Role | None
    named: tuple[Named, ...]


def explain(user_id: str, guards: Guards) -> Explanation:
    """What the rules say about this person, and why; `role` is what the policy gives, whatever else is in the way."""
    paths = paths_of(user_id, guards.members)
    role = policy_that_counts(guards.own, guards.of_space).role_of(paths.keys(), guards.at)
    named = _named(paths, guards)
    rule = _rule(guards, role, named)
    return Explanation(rule is Rule.GRANTED, rule, role, named)


def _rule(guards: Guards, role: Role | None, named: tuple[Named, ...]) -> Rule:
    if not guards.active:
        return Rule.USER_INACTIVE
    if guards.deleted:
        return Rule.DOCUMENT_DELETED
    if any(isinstance(each.entry, Denial) and each.in_effect for each in named):
        return Rule.DENIED
    if role is None:
        return Rule.NOT_NAMED
    if guards.classification > guards.clearance:
        return Rule.CLEARANCE_TOO_LOW
    return Rule.GRANTED


def _named(paths: Mapping[str, tuple[str, ...]], guards: Guards) -> tuple[Named, ...]:
    """Denials first, then the highest roles; the document's own entries before its space's."""
    counting: list[tuple[Literal["document", "space"], Policy]] = []
    if guards.own is not None:
        counting.append(("document", guards.own))
    if guards.own is None or guards.own.extends_space:
        counting.append(("space", guards.of_space))
    found = [
        Named(entry, source, paths[entry.principal], entry.period.holds(guards.at))
        for source, policy in counting
        for entry in policy.entries
        if entry.principal in paths
    ]
    return tuple(sorted(found, key=_order))


def _order(named: Named) -> tuple[int, str, str]:
    rank = -1 if isinstance(named.entry, Denial) else Role.MANAGER.rank - named.entry.role.rank
    return rank, named.source, "" if named.entry.principal == EVERYONE else named.entry.principal
