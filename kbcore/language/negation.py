"""Whether a text says that something is not so: what two texts with the same words can still disagree about."""

import re

_NOT = re.compile(
    r"[不没沒未无無勿禁莫]|非(?!常)|\b(?:not|no|never|cannot|without|neither|nor|none|nobody|nothing|forbidden|prohibited)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_NOT_A_DENIAL = re.compile(
    r"不(?:得|应|可|能)?(?:少于|超过|超過|低于|高于|晚于|早于|多于|大于|小于|迟于)|不(?:仅|但|论|同|断|管|足|等|久)|无论|無論|未来|未來|未成年"
    r"|\bno(?:t)? (?:later|earlier|more|less|fewer|longer) than\b|\bnot only\b|\bno\. ?\d",
    re.IGNORECASE,
)


def negated(text: str) -> bool:
    """True for an odd number of denials; limits ("not more than") and set phrases ("not only") deny nothing."""
    return len(_NOT.findall(_NOT_A_DENIAL.sub("", text))) % 2 == 1
