"""The language of a question: that of its frame, for names and terms of the other language stand in both."""

import re

from kbcore.language.script import detect_language

_ZH = re.compile(r"[吗呢的了是在有把被让从请怎哪谁几]|什么|如何|多少|多久|为何|是否|能否|可否|可以|需要|应该|哪些")
_EN = re.compile(
    r"\b(?:who|whom|whose|what|when|where|why|how|which|is|are|was|were|do|does|did|can|could|may|must|shall|should|"
    r"will|would|has|have|the|please|tell|explain|describe)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|《[^》]*》|`[^`]*`")


def question_language(question: str) -> str:
    """`"zh"` or `"en"`: whose words ask, quotations aside; where neither's or both's do, whose letters are more.

    `CRM 的 SLA 是多少` is Chinese, `What does 年假结转规定 say` English.
    """
    asked = _QUOTED.sub(" ", question)
    chinese, english = bool(_ZH.search(asked)), bool(_EN.search(asked))
    if english and not chinese:
        return "en"
    if chinese and not english:
        return "zh"
    return detect_language(asked if asked.strip() else question)
