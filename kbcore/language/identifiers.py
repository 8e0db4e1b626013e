"""Names made of letters and digits (`E1042`, `FG-200`, `P6`): a text about another one is about something else."""

import re
import unicodedata

_IDENTIFIER = re.compile(
    r"(?<![a-z0-9])(?=[a-z0-9._/-]*[a-z])(?=[a-z0-9._/-]*[0-9])[a-z0-9]+(?:[._/-][a-z0-9]+)*", re.ASCII
)
_ORDINARY = re.compile(
    r"\d+(?:st|nd|rd|th|s|h|k|m|km|kg|cm|mm|gb|mb|am|pm|x|d|g)?|[qh][1-4]|fy\d+|\d+-(?:day|week|month|year|hour|minute)s?"
)
_JOINTS = re.compile(r"[_/-]")


def identifiers(text: str) -> frozenset[str]:
    """The identifiers in `text`, lower-case and unhyphenated (`FG-200` = `fg200`); ordinals and units are none."""
    folded = unicodedata.normalize("NFKC", text).lower()
    found = _IDENTIFIER.findall(folded)
    return frozenset(_JOINTS.sub("", each) for each in found if not _ORDINARY.fullmatch(each))
