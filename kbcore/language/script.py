"""Which of the two languages a text is in, by its script: no model, no dependency, the same answer everywhere."""

import re

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u1100-\u11ff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+")

HAN_SHARE = 0.2
"""A text is Chinese when at least this share of its words are CJK characters. A Han character counts as one word:
"用 Kubernetes 部署" is four to one, and an English page that names 张三 once stays English."""


def han_share(text: str) -> float:
    """CJK characters divided by words (each CJK character is one word); 0.0 for a text without letters."""
    cjk = len(_HAN.findall(text)) + len(_KANA_HANGUL.findall(text))
    latin = len(_WORD.findall(_KANA_HANGUL.sub(" ", _HAN.sub(" ", text))))
    return cjk / (cjk + latin) if cjk + latin else 0.0


def detect_language(text: str) -> str:
    """`"zh"` or `"en"`: the nearer of the two. Japanese and Korean count as `zh` (no spaces to split words at)."""
    return "zh" if han_share(text) >= HAN_SHARE else "en"
