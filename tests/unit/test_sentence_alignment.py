"""Where a sentence follows another and where it has something else."""

import pytest

from kbcore.language.alignment import align, reordered, speaking, tokens


@pytest.mark.parametrize(
    ("said", "source", "ours", "theirs"),
    [
        ("Reports go to the garage monthly.", "Reports go to the office monthly.", "garage", "office"),
        ("预算由董事会批准。", "预算由总经理批准。", "董事会", "总经理"),
    ],
)
def test_what_stands_in_anothers_place(said: str, source: str, ours: str, theirs: str) -> None:
    alignment = align(tokens(said), tokens(source))
    assert alignment.followed >= 0.6
    (replaced,) = alignment.replaced
    assert [token.written for token in speaking(replaced.ours)] == [ours]
    assert [token.written for token in speaking(replaced.theirs)] == [theirs]


def test_a_sentence_follows_itself_and_nothing_follows_nothing() -> None:
    assert align(tokens("预算由总经理批准 before May."), tokens("预算由总经理批准 before May.")).followed == 1
    assert align([], tokens("a text")).followed == 0


@pytest.mark.parametrize(
    ("said", "source", "swapped"),
    [
        ("bob hired alice", "alice hired bob", True),
        ("bob was hired by alice", "alice hired bob", False),
        ("alice hired", "alice hired bob", False),
        ("李强推荐王芳", "王芳推荐李强", True),
        ("李强被王芳推荐", "王芳推荐李强", False),
    ],
)
def test_the_same_words_in_another_order(said: str, source: str, *, swapped: bool) -> None:
    assert reordered(tokens(said), tokens(source), frozenset(["alice", "bob", "李强", "王芳"])) is swapped
