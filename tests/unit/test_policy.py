"""The rules of access, as plain values."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kbcore.permissions.policy import ALWAYS, Denial, Grant, Period, Policy, Role, policy_that_counts
from kbcore.permissions.resolve import principals_of

WHO = st.sampled_from(["everyone", "user:a", "user:b", "group:x", "group:y"])
NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PERIODS = st.sampled_from(
    [ALWAYS, Period(NOW - DAY), Period(NOW + DAY), Period(None, NOW), Period(None, NOW + DAY), Period(NOW, NOW + DAY)]
)
POLICIES = st.builds(
    Policy,
    allow=st.frozensets(st.builds(Grant, WHO, st.sampled_from(Role), PERIODS)),
    deny=st.frozensets(st.builds(Denial, WHO, PERIODS), max_size=2),
)
SETS = st.frozensets(WHO, min_size=1)


def test_nobody_is_let_in_by_an_empty_policy() -> None:
    assert Policy().role_of({"everyone", "user:a"}, NOW) is None


def test_deny_beats_every_allow() -> None:
    allow = frozenset({Grant("user:a", Role.MANAGER), Grant("everyone", Role.READER)})
    policy = Policy(allow, frozenset({Denial("group:x")}))
    assert policy.role_of({"everyone", "user:a"}, NOW) is Role.MANAGER
    assert policy.role_of({"everyone", "user:b"}, NOW) is Role.READER
    assert policy.role_of({"everyone", "user:a", "group:x"}, NOW) is None


def test_roles_include_the_ones_before_them() -> None:
    order = [Role.READER, Role.EDITOR, Role.MANAGER]
    for low, first in enumerate(order):
        for high, second in enumerate(order):
            assert second.includes(first) == (high >= low)


@given(POLICIES, SETS, SETS)
def test_one_more_principal_never_takes_a_role_away_unless_it_is_denied(
    policy: Policy, some: frozenset[str], more: frozenset[str]
) -> None:
    before, after = policy.role_of(some, NOW), policy.role_of(some | more, NOW)
    if any(denial.principal in some | more and denial.period.holds(NOW) for denial in policy.deny):
        assert after is None
    elif before is not None:
        assert after is not None
        assert after.includes(before)


@given(POLICIES, SETS)
def test_denying_someone_never_lets_anyone_in(policy: Policy, some: frozenset[str]) -> None:
    for who in some:
        stricter = Policy(policy.allow, policy.deny | {Denial(who)})
        assert stricter.role_of(some, NOW) is None


def test_an_entry_counts_from_its_first_moment_until_before_its_last() -> None:
    week = Period(NOW, NOW + 7 * DAY)
    assert not week.holds(NOW - timedelta(microseconds=1))
    assert week.holds(NOW)
    assert week.holds(NOW + 7 * DAY - timedelta(microseconds=1))
    assert not week.holds(NOW + 7 * DAY)


@given(POLICIES, POLICIES, SETS)
def test_a_policy_that_extends_its_spaces_lets_in_whom_either_grants_and_neither_denies(
    own: Policy, of_space: Policy, some: frozenset[str]
) -> None:
    extending = Policy(own.allow, own.deny, extends_space=True)
    both = policy_that_counts(extending, of_space)
    alone = [own.role_of(some, NOW), of_space.role_of(some, NOW)]
    denied = any(d.principal in some and d.period.holds(NOW) for d in own.deny | of_space.deny)
    assert (both.role_of(some, NOW) is not None) == (not denied and any(alone))
    assert policy_that_counts(own, of_space) == own
    assert policy_that_counts(None, of_space) == of_space


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
