"""The wording of a question: what has to be the same before an earlier answer to another question may be given.

Stricter than search terms on purpose: "when does it end" and "where does it end" have the same terms, and "from A to B"
and "from B to A" the same set of words. Only spelling, punctuation, inflection and courtesy are looked through.
"""

import re

from kbcore.language.analyzer import normalised
from kbcore.language.identifiers import identifiers
from kbcore.language.negation import negated
from kbcore.language.numerals import numbers
from kbcore.language.stems import stem

_WORD = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+|[+\-*/<>=%#@&]")
_COURTESY_EN = frozenset(["a", "an", "the", "please", "kindly"])
_COURTESY_ZH = re.compile(r"请问|请教一下|请教|[吗呢吧啊呀](?=$|[\s?!。,])")
_ASCII = re.compile(r"[a-z]{3,}", re.ASCII)


def wording(question: str) -> tuple[str, ...]:
    """Words in order, then numbers, identifiers and whether it denies: equal only if two questions ask the same.

    Empty for a question that says nothing.
    """
    folded = _COURTESY_ZH.sub(" ", normalised(question))
    words = [word for word in _WORD.findall(folded) if word not in _COURTESY_EN]
    said = [stem(word) if _ASCII.fullmatch(word) else word for word in words]
    if not said:
        return ()
    # Chinese has no spaces that mean anything; what was cut out above must not part a run that was whole.
    joined = re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", " ".join(said))
    stated = (*sorted(numbers(question)), "|", *sorted(identifiers(question)), "|", "not" if negated(question) else "")
    return joined, *stated
