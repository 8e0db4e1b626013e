"""Permission in plain Python: what `kbcore.metadata.access` decides in SQL, for tests and for explanations.

A property test holds the two together on random people, groups (cycles included), policies and documents.
"""

from collections.abc import Mapping, Set
from datetime import datetime

from kbcore.domain.document import Classification
from kbcore.domain.principal import EVERYONE
from kbcore.permissions.policy import Policy, policy_that_counts


def principals_of(user_id: str, members: Mapping[str, Set[str]]) -> frozenset[str]:
    """Everything that an active user counts as: `everyone`, itself, and each group that it is in, however deep.

    `members` maps a group's id to its direct members (`user:<id>`, `group:<id>`). Groups that contain themselves add
    nothing.
    """
    return frozenset(paths_of(user_id, members))


def paths_of(user_id: str, members: Mapping[str, Set[str]]) -> dict[str, tuple[str, ...]]:
    """`principals_of`, each with a shortest way there: itself first, then group by group, the principal last."""
    user = f"user:{user_id}"
    paths: dict[str, tuple[str, ...]] = {user: (user,)}
    frontier = [user]
    while frontier:
        found: dict[str, tuple[str, ...]] = {}
        for group, inside in members.items():
            principal = f"group:{group}"
            if principal not in paths:
                through = next((member for member in frontier if member in inside), None)
                if through is not None:
                    found[principal] = (*paths[through], principal)
        paths |= found
        frontier = list(found)
    return {**paths, EVERYONE: (user, EVERYONE)}


def readable_policies(principals: Set[str], policies: Mapping[int, Policy], at: datetime) -> frozenset[int]:
    """The ids of the policies that let someone with these principals read; they stand for what counts in the end."""
    return frozenset(policy_id for policy_id, policy in policies.items() if policy.role_of(principals, at) is not None)


def may_read(
    principals: Set[str],
    clearance: Classification,
    *,
    own_policy: Policy | None,
    space_policy: Policy,
    classification: Classification,
    at: datetime,
) -> bool:
    """Whether a document that is not deleted may be read at this moment: by the policy that counts, and cleared."""
    policy = policy_that_counts(own_policy, space_policy)
    return policy.role_of(principals, at) is not None and classification <= clearance
