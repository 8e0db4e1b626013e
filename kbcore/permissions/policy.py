"""Access policies: who may do what with the documents of a space, or with one document."""

from collections.abc import Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a grant allows; each role includes the ones before it."""

    READER = "reader"  # search, read, be answered from
    EDITOR = "editor"  # and upload, change, delete
    MANAGER = "manager"  # and set the policy

    @property
    def rank(self) -> int:
        """0 for reader, 1 for editor, 2 for manager."""
        return tuple(Role).index(self)

    def includes(self, other: "Role") -> bool:
        """True if whoever has this role may do what `other` may do."""
        return self.rank >= other.rank


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when an entry counts: half open, None = unbounded."""

    begins: datetime | None = None
    ends: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """True if the entry counts at this moment."""
        return (self.begins is None or self.begins <= at) and (self.ends is None or at < self.ends)


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class Grant:
    """One allow entry: a principal (`everyone`, `user:<id>`, `group:<id>`), its role, and when it counts."""

    principal: str
    role: Role
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class Denial:
    """One deny entry: a principal that has no role at all while it counts."""

    principal: str
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True)
class Policy:
    """An allow list and a deny list. An empty policy lets nobody in.

    `extends_space` is for a document's own policy: the entries of its space's policy count, too. Without it, the
    document's own policy counts alone.
    """

    allow: frozenset[Grant] = field(default_factory=frozenset)
    deny: frozenset[Denial] = field(default_factory=frozenset)
    extends_space: bool = False

    @property
    def entries(self) -> "tuple[Grant | Denial, ...]":
        """All of them, in any order."""
        return (*self.deny, *self.allow)

    def role_of(self, principals: Set[str], at: datetime) -> Role | None:
        """The highest role that someone with these principals has at this moment; None = no access.

        Deny beats allow.
        """
        if any(denial.principal in principals and denial.period.holds(at) for denial in self.deny):
            return None
        held = (grant.role for grant in self.allow if grant.principal in principals and grant.period.holds(at))
        return max(held, key=lambda role: role.rank, default=None)

    def together_with(self, other: "Policy") -> "Policy":
        """The entries of both; a denial of either beats a grant of either."""
        return replace(self, allow=self.allow | other.allow, deny=self.deny | other.deny)


def policy_that_counts(own: Policy | None, of_space: Policy) -> Policy:
    """What decides about a document: its space's policy, its own one, or both together."""
    if own is None:
        return of_space
    return own.together_with(of_space) if own.extends_space else own
