"""One spelling per character: Unicode NFC, no invisible characters, plain spaces and line ends."""

import re
import unicodedata

_LINE_END = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SPACE = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f]")
_SOFT_HYPHEN_BREAK = re.compile("\xad *\n")
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # controls
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width and bidirectional controls
    "\ufff9-\ufffc\ufffe\uffff\ud800-\udfff"  # annotations, object placeholder, noncharacters, lone surrogates
    "\U000e0000-\U000e0fff"  # tags and variation selectors: used to hide text from people
    "]"
)
_IDLE_JOINER = re.compile(
    "(?<![^\x00-\u024f\u2e80-\u9fff])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\u024f\u2e80-\u9fff])"
)
"""Joiners next to Latin or Chinese do nothing; within emoji, Persian or Indic words they do, and stay."""
_PRESENTATION_FORM = re.compile("[\u2e80-\u2fdf\ufb00-\ufb06]")
"""Kangxi radicals and Latin ligatures: PDF fonts yield them in place of 人 and fi, and nobody can search for them."""
_PRIVATE_BULLET = str.maketrans({"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf06c": "●", "\uf0fc": "✓"})
"""What Word writes for bullets of the fonts Symbol and Wingdings."""
_SPACES = re.compile(" {2,}")
_EDGE_SPACE = re.compile(" *\n *")
_NEWLINES = re.compile("\n{2,}")


def normalize(text: str, *, keep_layout: bool = False) -> str:
    """`text` in NFC with `\\n` line ends and single spaces, without control, zero-width and bidirectional characters.

    Full-width forms stay as written: citations are to the character. With `keep_layout` (code) runs of spaces and
    blank lines stay too.
    """
    text = _SPACE.sub(" ", _SOFT_HYPHEN_BREAK.sub("", _LINE_END.sub("\n", text)))
    text = _INVISIBLE.sub("", text).translate(_PRIVATE_BULLET)
    text = _PRESENTATION_FORM.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = unicodedata.normalize("NFC", _IDLE_JOINER.sub("", unicodedata.normalize("NFC", text)))
    if keep_layout:
        return text.rstrip().strip("\n")
    return _NEWLINES.sub("\n", _EDGE_SPACE.sub("\n", _SPACES.sub(" ", text))).strip()
