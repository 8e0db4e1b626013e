"""Rewrite: a follow-up question ("那病假呢?", "what about sick leave?") becomes one that can be searched by itself.

Deterministic: what is elliptical is joined to the question before it. A follow-up is short and either begins like one
or has nothing but a pronoun for its subject.
"""

import re
from collections.abc import Sequence

_ZH = re.compile(
    r"^(?:那么?|还有|另外|如果是?|换成|对于)?[^。！]{1,20}呢[？?]?$|^(?:那|它|他们|这个|那个|这些|那些|其中|该|上述|为什么[？?]?$)"
)
_EN = re.compile(
    r"^(?:and|but|or|so|then|what about|how about|what if|why\??$|why not)\b"
    r"|^(?:[a-z']+ ){0,3}(?:it|its|that|this|they|them|those|these|there)\b",
    re.IGNORECASE,
)
_LONGEST_ZH = 24
_LONGEST_EN = 9
_OPENING = re.compile(r"^(?:那么?|还有|另外|and|but|so|then|what about|how about)[，,\s]*", re.IGNORECASE)
_LOOK_BACK = 3


def rewrite(question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question as it would be asked without the conversation; unchanged if it stands alone already."""
    standalone = ""
    for turn in (*(asked for asked, _ in history[-_LOOK_BACK:]), question):
        asked = turn.strip()
        joined = standalone and _is_follow_up(asked)
        standalone = f"{standalone} {_OPENING.sub('', asked)}" if joined else asked
    return standalone


def _is_follow_up(question: str) -> bool:
    if len(question) <= _LONGEST_ZH and _ZH.search(question):
        return True
    return len(question.split()) <= _LONGEST_EN and bool(_EN.search(question))
