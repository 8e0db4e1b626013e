"""Rewrite: a follow-up question ("那病假呢?", "what about sick leave?") becomes one that can be searched by itself.

Deterministic. What the follow-up names takes the place of what is like it in the question before; what it leaves out
is taken from there. Each is judged against the last question that stood alone, so a thread does not pile up.
"""

from collections.abc import Sequence

from kbcore.language.script import detect_language
from services.query.understand import followup_en, followup_zh
from services.query.understand.meant import Meant

LOOK_BACK = 3
"""How many questions before this one are looked at."""


def rewrite(question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question as it would be asked without the conversation; unchanged if it stands alone already."""
    before = ""
    for asked, _ in history[-LOOK_BACK:]:
        if asked.strip():
            before = _meant(asked, before).about
    return _meant(question, before).text


def _meant(asked: str, before: str) -> Meant:
    language = followup_zh if detect_language(asked) == "zh" else followup_en
    meant: Meant | None = language.standalone(asked, before) if before else None
    return meant or Meant(asked.strip(), asked.strip())
