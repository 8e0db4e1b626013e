"""Access policies: who may do what with the documents of a space, or with one document."""

from collections.abc import Set
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One allow entry: a principal (`everyone`, `user:<id>`, `group:<id>`) and its role."""

    principal: str
    role: Role


@dataclass(frozen=True, slots=True)
class Policy:
    """An allow list and a deny list. An empty policy lets nobody in; a denied principal has no role at all."""

    allow: frozenset[Grant] = field(default_factory=frozenset)
    deny: frozenset[str] = field(default_factory=frozenset)

    def role_of(self, principals: Set[str]) -> Role | None:
        """The highest role that someone with these principals gets; None = no access. Deny beats allow."""
        if self.deny & principals:
            return None
        return max((g.role for g in self.allow if g.principal in principals), key=lambda r: r.rank, default=None)
