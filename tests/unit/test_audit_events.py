"""What an audit event takes, and which refusals of a caller are told one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.audit.events import AuditEvent
from services.api.refusals import RefusalCount


@pytest.mark.parametrize("value", [1.5, "a\0b", "\ud800", {1: "x"}, {"x": [0.1]}, object(), b"x"])
def test_what_sql_would_not_return_as_it_was_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"thing\.happened"):
        AuditEvent("thing.happened", detail={"value": value})


@pytest.mark.parametrize("value", [None, True, 2**60, "年假", ["x", 1], {"a": {"b": [None]}}])
def test_everything_else_is_taken(value: object) -> None:
    assert AuditEvent("thing.happened", detail={"value": value}).detail == {"value": value}


def test_a_word_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        AuditEvent("thing.happened", address="10.0.0.1\0")


def test_the_first_refusals_are_told_singly_and_the_rest_at_every_doubling() -> None:
    counts = RefusalCount(4)
    told = [counts.note("u", now=0.0) for _ in range(40)]
    assert [(number, count) for number, count in enumerate(told, 1) if count] == [
        (1, 1), (2, 1), (3, 1), (4, 1), (8, 4), (16, 8), (32, 16),
    ]  # fmt: skip


def test_what_is_untold_when_the_minute_ends_is_told_with_the_next_one() -> None:
    counts = RefusalCount(2)
    told = [counts.note("u", now=float(second)) for second in range(7)]
    assert sum(told) == 4
    assert counts.note("u", now=61.0) == 4  # three of the minute before, and this one
    assert counts.note("another", now=61.0) == 1


@given(st.lists(st.floats(0, 30), max_size=300), st.integers(1, 5))
def test_no_refusal_is_told_twice_and_at_most_half_are_untold(steps: list[float], singly: int) -> None:
    counts = RefusalCount(singly)
    now, told = 0.0, 0
    for number, step in enumerate(steps, 1):
        now += step
        told += counts.note("u", now)
        assert told <= number
    told += counts.note("u", now + 61)
    assert told == len(steps) + 1
