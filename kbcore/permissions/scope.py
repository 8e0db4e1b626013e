"""What a caller may read, as the search needs it."""

from dataclasses import dataclass

from kbcore.domain.document import Classification


@dataclass(frozen=True, slots=True)
class ReadScope:
    """The policies whose documents a caller may read now, and the highest classification it is cleared for.

    A required argument of every search: there is no value that means "everything". An empty scope finds nothing.
    """

    policy_ids: frozenset[int]
    clearance: Classification

    @property
    def empty(self) -> bool:
        """True if there is nothing that this caller may read."""
        return not self.policy_ids

    def covers(self, other: "ReadScope") -> bool:
        """True if whoever has this scope may read all that whoever has the other one may."""
        return other.policy_ids <= self.policy_ids and other.clearance <= self.clearance
