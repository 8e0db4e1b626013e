import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbcore.language.sentences import ends_sentence, sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("年假五天。可以结转吗？可以！", ["年假五天。", "可以结转吗？", "可以！"]),
        ("他说：“好。我来。”然后走了。", ["他说：“好。我来。”", "然后走了。"]),
        ("见附件（第3.2条。含说明）。完。", ["见附件（第3.2条。含说明）。", "完。"]),
        ("增长3.14%。下降2.5。", ["增长3.14%。", "下降2.5。"]),
        ("等等……然后呢", ["等等……", "然后呢"]),
        ("Leave is paid. It carries over.", ["Leave is paid.", "It carries over."]),
        ("Dr. Smith agrees. See Fig. 3 and e.g. the note.", ["Dr. Smith agrees.", "See Fig. 3 and e.g. the note."]),
        ("Version 1.2.3 is out. Use it!", ["Version 1.2.3 is out.", "Use it!"]),
        ("Zhiku Inc. The rest. At 9 p.m. We left.", ["Zhiku Inc.", "The rest.", "At 9 p.m.", "We left."]),
        ("1. Open the door.\n2. Close it.", ["1. Open the door.", "2. Close it."]),
        ('She said "Stop." Then left.', ['She said "Stop."', "Then left."]),
        ("标题\n正文一句。", ["标题", "正文一句。"]),
        ("使用 v2.0 版。Use Python 3.11. 然后重启。", ["使用 v2.0 版。", "Use Python 3.11.", "然后重启。"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("开头（没有结尾。下一句。", ["开头（没有结尾。", "下一句。"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_known_sentences(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@given(st.text(alphabet=st.sampled_from("年假。！？…；“”（）ab A.1 \n\"')!?"), max_size=80))
def test_sentences_cover_every_visible_character_once(text: str) -> None:
    covered = [False] * len(text)
    last = 0
    for start, end in sentences(text):
        assert last <= start < end <= len(text)
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        covered[start:end] = [True] * (end - start)
        last = end
    assert all(done or character.isspace() for done, character in zip(covered, text, strict=True))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("年假可以结转。", True),
        ("他说：“可以。” ", True),
        ("Leave is carried over.", True),
        ("Is it carried over?)", True),
        ("年假可以结转至次年", False),
        ("The limit is 3.", False),  # perhaps 3.5
        ("Leave is", False),
        ("", False),
    ],
)
def test_whether_a_text_ends_where_a_sentence_does(text: str, whole: bool) -> None:
    assert ends_sentence(text) is whole
