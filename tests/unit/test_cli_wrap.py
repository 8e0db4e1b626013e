"""Line breaking on the terminal."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from services.cli.wrap import Wrapped, breaks


def lines(text: str, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(Wrapped(Text(text)))
    return captured.get().splitlines()


def test_chinese_is_broken_between_characters_and_not_at_its_spaces() -> None:
    assert lines("一周内触发超过 20 次而无人处理的告警", 16) == ["一周内触发超过", "20 次而无人处理", "的告警"]


def test_no_line_begins_with_closing_punctuation_or_ends_with_opening() -> None:
    assert lines("住宿费限额，每晚", 10) == ["住宿费限", "额，每晚"]
    assert lines("依照《差旅报销制度》", 10) == ["依照《差旅", "报销制度》"]
    assert lines("依照上述《制度》", 10) == ["依照上述", "《制度》"]
    assert lines("按（新）办法", 6) == ["按", "（新）", "办法"]


def test_english_words_stay_whole() -> None:
    assert lines("nothing in the documents", 11) == ["nothing in", "the", "documents"]


@given(st.text(alphabet="一二三，。（）《》ab c1.-[]|", max_size=80), st.integers(8, 40))
def test_every_piece_fits_and_nothing_is_lost(text: str, width: int) -> None:
    places = [0, *breaks(text, width), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert "".join(pieces) == text
    for piece in pieces:
        unbreakable = len(breaks(piece, 1)) == 0
        assert cell_len(piece.rstrip()) <= width or unbreakable
