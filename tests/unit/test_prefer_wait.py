"""`Prefer: wait=N` as RFC 7240 writes it."""

import pytest

from services.api.waiting import DEFAULT_S, LONGEST_S, preferred_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([], DEFAULT_S),
        (["wait=5"], 5),
        (["Wait=0"], 0),
        (["respond-async, wait = 10"], 10),
        (["respond-async", 'wait="7"; strict'], 7),
        (["wait=3, wait=9"], 3),
        (["wait=86400"], LONGEST_S),
        (["wait=-1"], DEFAULT_S),
        (["wait=soon"], DEFAULT_S),
        (["await=5"], DEFAULT_S),
    ],
)
def test_the_wait_that_is_asked_for(prefer: list[str], seconds: float) -> None:
    assert preferred_wait(prefer) == seconds
