"""Spelling: an English word that stands in no document the asker may read, for its one close neighbour that does.

Index terms are hashes, so there is no vocabulary to look in, and none is kept: what hidden documents say must not
correct anybody. Neighbours are the words of the passages that a first search found and SQL confirmed.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rapidfuzz.distance import OSA

from kbcore.domain.chunk import Passage
from kbcore.language.analyzer import terms
from kbcore.language.weights import term_id
from kbcore.metadata.standpoint import Standpoint

_SHORTEST = 5
_LONG = 8
"""From so many letters on two mistakes are corrected, else one."""
_MOST = 3
"""Words that are looked at; a question with more of them is in another language."""
# Names are capital and codes have digits: somebody who asks about Smyth does not mean Smith.
_ASKED = re.compile(rf"(?<![\w.@/'-])[a-z]{{{_SHORTEST},}}(?![\w@/'-]|\.\w)")
_WRITTEN = re.compile(rf"[A-Za-z]{{{_SHORTEST - 1},}}")


def respelled(
    question: str,
    passages: Sequence[Passage],
    standpoint: Standpoint,
    analyzer: str,
    count_tokens: Callable[[Sequence[str]], list[int]],
) -> tuple[str, int]:
    """The question as it was probably meant, and how many of its words were changed.

    `count_tokens` is the embedding model's: a word that its vocabulary has whole is a word, not a mistake.
    """
    unknown = [word for word in dict.fromkeys(_ASKED.findall(question)) if _unknown(word, standpoint, analyzer)]
    if not unknown or len(unknown) > _MOST or not passages:
        return question, 0
    whole, *pieces = count_tokens(["the", *unknown])
    written = _words(passages)
    meant = {
        word: neighbour
        for word, count in zip(unknown, pieces, strict=True)
        if count > whole and (neighbour := _neighbour(word, written, analyzer)) is not None
    }
    return _ASKED.sub(lambda match: meant.get(match[0], match[0]), question), len(meant)


def _unknown(word: str, standpoint: Standpoint, analyzer: str) -> bool:
    ids = [term_id(term) for term in terms(word, analyzer)]
    return bool(ids) and not any(standpoint.rows_with_term.get(each) for each in ids)


def _words(passages: Iterable[Passage]) -> Counter[str]:
    texts = ("\n".join((each.title, *each.heading, each.text)) for each in passages)
    return Counter(word.lower() for text in texts for word in _WRITTEN.findall(text))


def _neighbour(word: str, written: Counter[str], analyzer: str) -> str | None:
    """The nearest word that begins alike, if all that are as near are forms of one."""
    most = 2 if len(word) >= _LONG else 1
    near: dict[int, list[str]] = {}
    for other in written:
        if other[0] == word[0]:
            distance = OSA.distance(word, other, score_cutoff=most)
            if distance <= most:
                near.setdefault(distance, []).append(other)
    if not near:
        return None
    nearest = near[min(near)]
    stems = {tuple(terms(other, analyzer)) for other in nearest}
    return max(nearest, key=lambda other: (written[other], other)) if len(stems) == 1 else None
