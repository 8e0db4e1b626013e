"""Texts to index terms, the same way for documents and for questions (ADR 0006).

NFKC, case folding, traditional → simplified; Chinese words in jieba's search mode and the pairs of characters across
them; English stems; identifiers whole and in parts, so that `EX-900/2` is found by `EX-900/2` and by `ex 900`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from kbcore.language.stems import stem

MAX_TERM_CHARS = 64
"""Longer runs (base64, hashes) are cut to this: nobody types them whole."""

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〇"
_SYLLABLE = r"\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"
_LETTER = rf"[^\W_{_HAN}{_SYLLABLE}]"

_TOKEN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    rf"|(?P<syllables>[{_SYLLABLE}]+)"
    rf"|(?P<latin>{_LETTER}+(?:[-_./:@+&]{_LETTER}+)*(?:\+\+|\#)?)"
)
_HAS_HAN = re.compile(rf"[{_HAN}]")
_CLITIC = re.compile(r"(?<=[^\W\d_])['’](?:s|t|re|ve|ll|d|m)\b")
_THOUSANDS = re.compile(r"(?<!\d)(?<!\d,)\d{1,3}(?:,\d{3})+(?!\d)(?!,\d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_PART = re.compile(r"\d+(?:\.\d+)+|[^\W_]+")
_PIECE = re.compile(r"\d+|[^\W\d_]+")
_IDENTIFYING = re.compile(r"[\d_@.#]|\+\+")

_ENGLISH_STOP_WORDS = """
a about am an and any are as at be been but by can could did do does don for from had has have he her his how i if in
into is it its me my no not of on or our shall she should so such than that the their them then there these they this
those to us was we were what when where which who whom whose why will with would you your
"""
_CHINESE_STOP_WORDS = """
的 了 和 与 及 或 在 是 有 为 以 于 而 之 其 也 都 就 并 等 被 把 对 从 到 由 向 着 过 吗 呢 吧 啊 么 我 你 您 他
她 它 们 我们 你们 他们 这 那 这个 那个 哪 哪些 哪个 什么 怎么 怎样 如何 多少 几 谁 请 请问 可以 能 能否 会 要 应 则 即
若 如 如果 因为 所以 但 但是 还 又 很 最 更 不 没 没有 一 一个 个 是否 为什么
"""
_FUNCTION_CHARACTERS = frozenset("的了和与及或在是有为以于而之其也都就并等被把对从到由向着过吗呢吧啊么")
_STOP_WORDS = frozenset((_ENGLISH_STOP_WORDS + _CHINESE_STOP_WORDS).split())


DEFAULT_ANALYZER = "mixed-1"
ANALYZERS = (DEFAULT_ANALYZER, "words-1")
"""`mixed-1` is what the module's text says; `words-1` leaves out the pairs of characters: a smaller index that misses
words which a question and a document are cut into differently. An index is searched with the one that built it."""


def terms(text: str, analyzer: str = DEFAULT_ANALYZER) -> list[str]:
    """The terms of a text, in order and with repetitions; `[]` if there is nothing but punctuation and stop words.

    Raises `ValueError` for an analyzer that is not one of `ANALYZERS`.
    """
    if analyzer not in ANALYZERS:
        raise ValueError(f"no such analyzer: {analyzer!r}")
    pairs = analyzer == DEFAULT_ANALYZER
    return [term[:MAX_TERM_CHARS] for term in _terms(normalised(text), pairs=pairs)]


def words(text: str) -> list[str]:
    """What a dictionary cuts a text into, in order; joined together they are the text."""
    return list(_segmenter().cut(text, True))


def tagged(text: str) -> list[tuple[str, str]]:
    """The words of a text, in order, each with its part of speech (jieba's tags: `nr` a person, `ns` a place, …)."""
    return list(_segmenter().tag(text, True))


def normalised(text: str) -> str:
    """One spelling: NFKC, case folded, simplified characters, no separators in thousands, no English clitics."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\0", " ")  # OpenCC reads up to a NUL
    if _HAS_HAN.search(folded):
        folded = _simplifier().convert(folded)
    folded = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), folded)
    return _CLITIC.sub("", folded)


def _terms(text: str, *, pairs: bool) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match["han"]:
            yield from _han(match["han"], pairs=pairs)
        elif match["latin"]:
            yield from _latin(match["latin"])
        else:
            yield from _bigrams(match["syllables"])


def _han(run: str, *, pairs: bool) -> Iterator[str]:
    """Words, and (`pairs`) every two neighbours that are not a word of their own.

    The same words may be cut differently in a question and in a document (年假 is not in the dictionary); pairs do not
    depend on where it cuts. Pairs with a function word in them would only be noise.
    """
    words: list[str] = _segmenter().cut_for_search(run, True)
    yield from (word for word in words if word not in _STOP_WORDS)
    if not pairs:
        return
    in_words = Counter(word for word in words if len(word) == 2)
    for pair in _bigrams(run):
        if in_words[pair]:
            in_words[pair] -= 1
        elif len(pair) == 2 and not _FUNCTION_CHARACTERS.intersection(pair):
            yield pair


def _latin(token: str) -> Iterator[str]:
    """A word's stem, a number, or an identifier and its parts."""
    if token.isalpha():
        if token not in _STOP_WORDS:
            yield _stem(token)
    elif _NUMBER.fullmatch(token):
        yield token
    else:
        if _IDENTIFYING.search(token):
            yield token
        for part in _PART.findall(token):
            yield from _parts(part, whole=part == token)


def _parts(part: str, *, whole: bool) -> Iterator[str]:
    """A part of an identifier, and its own letters and digits: `ax300` is also `ax` and `300`."""
    if part.isalpha() or _NUMBER.fullmatch(part):
        yield from _latin(part)
        if part[0] == "0" and part.isdigit() and part.strip("0"):
            yield part.lstrip("0")  # 2024-03 is 2024年3月
        return
    if not whole:
        yield part
    yield from (piece for piece in _PIECE.findall(part) if len(piece) > 1)


def _bigrams(run: str) -> Iterator[str]:
    """Pairs of neighbours; for kana and hangul, for which there is no dictionary here, they are the terms."""
    yield from (run[start : start + 2] for start in range(max(1, len(run) - 1)))


def _stem(word: str) -> str:
    return stem(word) if word.isascii() and len(word) > 2 else word


@cache
def _segmenter() -> Any:
    import rjieba  # noqa: PLC0415

    return rjieba.Jieba()


@cache
def _simplifier() -> Any:
    import opencc  # noqa: PLC0415

    return opencc.OpenCC("t2s")
