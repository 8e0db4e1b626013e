"""What numbers count."""

import pytest

from kbcore.language.quantities import units_of_numbers


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Report it to extension 8000 within two hours so that it is locked.", {"2": {"hour"}}),
        ("five working days, 30 calendar days", {"5": {"workday"}, "30": {"day"}}),
        ("15 日内，或 15 天", {"15": {"day"}}),
        ("3 个工作日", {"3": {"workday"}}),
        ("version 5 of 2026", {}),
    ],
)
def test_units_of_numbers(text: str, units: dict[str, set[str]]) -> None:
    assert units_of_numbers(text) == units
