"""How wide an approximate index is searched, by how much of it may be seen."""

import pytest

from kbcore.vectors.milvus_schema import LITE, SERVER


def test_an_exact_index_has_one_width() -> None:
    assert LITE.widths_for(0.0001, 50) == LITE.widths


def test_a_search_that_sees_everything_starts_narrow() -> None:
    assert SERVER.widths_for(1.0, 10) == SERVER.widths


@pytest.mark.parametrize(("share", "first"), [(0.5, 400), (0.05, 4000), (0.01, 20_000), (0.0001, 32_768)])
def test_the_less_may_be_seen_the_wider_it_starts(share: float, first: int) -> None:
    widths = SERVER.widths_for(share, 50)
    assert widths[0] == first
    assert widths[-1] == SERVER.widths[-1]
    assert list(widths) == sorted(set(widths))


def test_the_cap_holds_where_nothing_is_seen() -> None:
    assert SERVER.widths_for(0.0, 800) == (SERVER.widths[-1],)
