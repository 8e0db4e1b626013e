"""Where a sentence follows another word by word, and where it has something else in its place."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from kbcore.language.analyzer import normalised, tagged
from kbcore.language.overlap import is_empty
from kbcore.language.stems import stem

_TOKEN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+(?:[._/'’-][^\W_\u3400-\u9fff]+)*")
_GLUE_WORDS = """
again all also any anyone anything both each either every her him his however instead just long many more most much need
needs next no one ones only other others same some someone something still such then therefore thing those thus very
while within yes you
不能 不可 不会 但是 而且 并且 或者 以及 同时 另外 此外 因此 所以 如果 需要 必须 应当 可以 能够 已经 其中 其他 相关 上述
以下 包括 属于 作为 进行 通过 根据 按照 对于 关于 您好
"""
_GLUE = frozenset(_GLUE_WORDS.split())
"""What sentences are joined with: a paraphrase may have other ones."""
_SPEAKING = frozenset("nvatslibzjx")
"""First letters of the tags of Chinese words that say something: nouns, verbs, adjectives, times, places, phrases."""
_NAMING = frozenset("ntsx")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is `written` (normalised), its `stem`, by which words are compared, and whether it `speaks`.

    `names`: it is a Chinese noun, time or place; English has no tagger here.
    """

    written: str
    stem: str
    speaks: bool
    names: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """A stretch of one text and what the other has in its place; `theirs` is empty where it has nothing."""

    ours: tuple[Token, ...]
    theirs: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """`followed`: the share (0-1) of the shorter text's speaking words that stand in the other in the same order."""

    followed: float
    replaced: tuple[Replaced, ...]


def align(ours: Sequence[Token], theirs: Sequence[Token]) -> Alignment:
    """How a sentence follows its source."""
    stems = [token.stem for token in theirs], [token.stem for token in ours]
    kept = 0
    replaced = []
    for operation, i1, i2, j1, j2 in SequenceMatcher(None, *stems, autojunk=False).get_opcodes():
        if operation == "equal":
            kept += len(speaking(ours[j1:j2]))
        elif j2 > j1:
            replaced.append(Replaced(tuple(ours[j1:j2]), tuple(theirs[i1:i2])))
    shorter = min(len(speaking(ours)), len(speaking(theirs)))
    return Alignment(kept / max(shorter, 1), tuple(replaced))


def reordered(ours: Sequence[Token], theirs: Sequence[Token], moving: frozenset[str]) -> bool:
    """Whether a sentence has no word but those of one other, and the words `moving` in another order.

    A passive ("was hired by") has words of its own, and may be true.
    """
    if Counter(token.stem for token in ours) - Counter(token.stem for token in theirs):
        return False
    rest = iter(token.written for token in theirs)
    return not all(token.written in rest for token in ours if token.written in moving)


def tokens(text: str) -> list[Token]:
    """The words of a text, in order."""
    found: list[Token] = []
    for run in _TOKEN.findall(normalised(text)):
        if "\u3400" <= run[0] <= "\u9fff":
            found += (_han(word, tag) for word, tag in tagged(run))
        else:
            found.append(Token(run, stem(run) if run.isascii() else run, not (is_empty(run) or run in _GLUE), False))
    return found


def _han(word: str, tag: str) -> Token:
    speaks = len(word) > 1 and tag[0] in _SPEAKING and word not in _GLUE and not is_empty(word)
    return Token(word, word, speaks, speaks and tag[0] in _NAMING)


def speaking(found: Sequence[Token]) -> tuple[Token, ...]:
    """Those that speak."""
    return tuple(token for token in found if token.speaks)
