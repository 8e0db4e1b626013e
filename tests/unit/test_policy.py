"""The rules of access, as plain values."""

from hypothesis import given
from hypothesis import strategies as st

from kbcore.permissions.policy import Grant, Policy, Role
from kbcore.permissions.resolve import principals_of

WHO = st.sampled_from(["everyone", "user:a", "user:b", "group:x", "group:y"])
POLICIES = st.builds(
    Policy, allow=st.frozensets(st.builds(Grant, WHO, st.sampled_from(Role))), deny=st.frozensets(WHO, max_size=2)
)
SETS = st.frozensets(WHO, min_size=1)


def test_nobody_is_let_in_by_an_empty_policy() -> None:
    assert Policy().role_of({"everyone", "user:a"}) is None


def test_deny_beats_every_allow() -> None:
    policy = Policy(frozenset({Grant("user:a", Role.MANAGER), Grant("everyone", Role.READER)}), frozenset({"group:x"}))
    assert policy.role_of({"everyone", "user:a"}) is Role.MANAGER
    assert policy.role_of({"everyone", "user:b"}) is Role.READER
    assert policy.role_of({"everyone", "user:a", "group:x"}) is None


def test_roles_include_the_ones_before_them() -> None:
    order = [Role.READER, Role.EDITOR, Role.MANAGER]
    for low, first in enumerate(order):
        for high, second in enumerate(order):
            assert second.includes(first) == (high >= low)


@given(POLICIES, SETS, SETS)
def test_one_more_principal_never_takes_a_role_away_unless_it_is_denied(
    policy: Policy, some: frozenset[str], more: frozenset[str]
) -> None:
    before, after = policy.role_of(some), policy.role_of(some | more)
    if policy.deny & (some | more):
        assert after is None
    elif before is not None:
        assert after is not None
        assert after.includes(before)


@given(POLICIES, SETS)
def test_denying_someone_never_lets_anyone_in(policy: Policy, some: frozenset[str]) -> None:
    for who in some:
        stricter = Policy(policy.allow, policy.deny | {who})
        assert stricter.role_of(some) is None


def test_groups_are_followed_through_groups_and_around_cycles() -> None:
    members = {
        "x": {"user:a"},
        "y": {"group:x"},
        "z": {"group:y", "group:w"},
        "w": {"group:z"},
        "other": {"user:b", "group:other"},
    }
    assert principals_of("a", members) == {"everyone", "user:a", "group:x", "group:y", "group:z", "group:w"}
    assert principals_of("b", members) == {"everyone", "user:b", "group:other"}
    assert principals_of("c", members) == {"everyone", "user:c"}
