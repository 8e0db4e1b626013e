"""Names: the rule, and foreign names that are made to fit it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kbcore.domain.names import checked_name, fitted_name


@given(st.text(max_size=300))
@example("0190163d-8694-739b-aea5-966c26f8ad90")
@example("0190163d8694739baea5966c26f8ad90")
@example("/" * 200)
@example("e\u0301" * 120)
@example("\u0345")
def test_what_is_made_to_fit_fits(foreign: str) -> None:
    name = fitted_name(foreign, otherwise="group")
    assert checked_name(name) == name
    assert len(name) <= 97  # room for a number


@pytest.mark.parametrize(
    ("foreign", "name"),
    [
        ("hr", "hr"),
        ("CN=HR Leads,OU=Groups", "CN-HR-Leads-OU-Groups"),
        ("研发 部", "研发-部"),
        ("--x--", "x"),
        ("", "group"),
        ("!!!", "group"),
    ],
)
def test_examples(foreign: str, name: str) -> None:
    assert fitted_name(foreign, otherwise="group") == name
