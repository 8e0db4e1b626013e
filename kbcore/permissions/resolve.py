"""Permission in plain Python: what `kbcore.metadata.access` decides in SQL, for tests and for explanations.

A property test holds the two together on random people, groups (cycles included), policies and documents.
"""

from collections.abc import Mapping, Set

from kbcore.domain.document import Classification
from kbcore.domain.principal import EVERYONE
from kbcore.permissions.policy import Policy


def principals_of(user_id: str, members: Mapping[str, Set[str]]) -> frozenset[str]:
    """Everything that an active user counts as: `everyone`, itself, and each group that it is in, however deep.

    `members` maps a group's id to its direct members (`user:<id>`, `group:<id>`). Groups that contain themselves add
    nothing.
    """
    held = {f"user:{user_id}"}
    frontier = set(held)
    while frontier:
        found = {f"group:{group}" for group, inside in members.items() if inside & frontier}
        frontier = found - held
        held |= frontier
    return frozenset(held | {EVERYONE})


def readable_policies(principals: Set[str], policies: Mapping[int, Policy]) -> frozenset[int]:
    """The ids of the policies that let someone with these principals read."""
    return frozenset(policy_id for policy_id, policy in policies.items() if policy.role_of(principals) is not None)


def may_read(
    principals: Set[str],
    clearance: Classification,
    *,
    own_policy: Policy | None,
    space_policy: Policy,
    classification: Classification,
) -> bool:
    """Whether a document may be read: under its own policy if it has one, else its space's, and cleared for it."""
    policy = space_policy if own_policy is None else own_policy
    return policy.role_of(principals) is not None and classification <= clearance
