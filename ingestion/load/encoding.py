"""Bytes to text, when nobody says which encoding they are in.

UTF-8 proves itself. The Chinese encodings do not (GB18030 and Big5 decode each other's bytes into rare characters
without an error), so candidates are decoded and judged by how common the resulting characters are: the first levels
of GB 2312 and Big5 hold the 3,755 and 5,401 most used characters, which the codecs can be asked for.
"""

import codecs
import re
import unicodedata
from functools import lru_cache

from kbcore.errors import ItemFailed

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 65_536
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_FEW_ZEROS = 0.1
"""Share of zero bytes below which a valid UTF-8 text is one with stray NULs, and not UTF-16."""
_EAST_ASIAN = ("gb18030", "big5hkscs", "euc_jp", "shift_jis", "euc_kr", "utf-16-le", "utf-16-be")
_ENOUGH = 0.8
"""Share of common characters from which a decoding is believed; wrong ones measured 0.1 to 0.65."""
_FREQUENT = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心"
    "多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将"
    "外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被"
    "這來個們說為時會著過學對後沒還發當無開經頭動長樣現將與進實點種聲話兒問機給業間"
    "이는을를의에가은고하다한로사지기아인のにはをたがでてとしれさ"
)
_FREQUENT_BONUS = 0.4
_WESTERN = frozenset("éèàùçâêîôûëïüñöäßáíóúãõåæøœÉÈÀÇÂÊÎÔÜÑÖÄÁÍÓÚÃÕÅÆØ“”‘’„–—…•·«»°€£©®§¿¡\xa0")
_WESTERN_ENOUGH = 0.9
_ESCAPED = re.compile(rb"\x1b\$[@AB)]|~\{")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MOST_CONTROL = 0.01


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of `data`. `declared` is what the document says of itself, believed if it decodes without an error.

    Raises `ItemFailed("encoding_unknown")`, also for data that are no text at all.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _readable(data.decode(encoding, "replace"))
    wide = _without_bom(data)
    if wide:
        return _readable(data.decode(wide, "replace"))
    for candidate in ("utf-8", _superset(declared)):
        text = _strictly(data, candidate) if candidate else None
        if text is not None and not (candidate == "utf-8" and _ESCAPED.search(data) and text.isascii()):
            return _readable(text)
    return _readable(_by_statistics(data))


def _without_bom(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: every second (or three in four) byte of its Latin text is zero."""
    sample = data[:_SAMPLE]
    zero = sample.count(0)
    if zero == 0 or (zero < _FEW_ZEROS * len(sample) and _strictly(data, "utf-8") is not None):
        return None
    for encoding in _WIDE:
        width = 4 if "32" in encoding else 2
        zeros = [sample[offset::width].count(0) * width / max(1, len(sample)) for offset in range(width)]
        high = zeros[1:] if encoding.endswith("le") else zeros[:-1]
        low = zeros[0] if encoding.endswith("le") else zeros[-1]
        text = _strictly(data[: len(data) // width * width], encoding)
        if text is not None and low < 0.02 and min(high) > low and (width == 2 or min(high) > 0.5):
            return encoding
    return None


def _by_statistics(data: bytes) -> str:
    sample = data[:_SAMPLE]
    scores = {encoding: _plausibility(sample, encoding) for encoding in _EAST_ASIAN}
    best = max(scores, key=lambda encoding: scores[encoding])
    if scores[best] >= _ENOUGH:
        return data.decode(best, "replace")
    western = _strictly(data, "cp1252")
    if western is not None and _western_share(western) >= _WESTERN_ENOUGH:
        return western
    import charset_normalizer  # noqa: PLC0415 — most texts never need it

    guess = charset_normalizer.from_bytes(data[: 4 * _SAMPLE]).best()
    if guess is None:
        raise ItemFailed("encoding_unknown", "The text's encoding is not recognised. Save it as UTF-8.")
    return data.decode(guess.encoding, "replace")


def _plausibility(sample: bytes, encoding: str) -> float:
    """How common the non-ASCII characters are, read as `encoding`: about 0 (noise) to 1.2 (everyday text)."""
    text = _lenient(sample, encoding)
    if text is None:
        return 0.0
    foreign = [character for character in text if character > "\x7f"]
    if not foreign:
        return 0.0
    common = sum(1 for character in foreign if _is_common(character, encoding))
    frequent = sum(1 for character in foreign if character in _FREQUENT)
    return common / len(foreign) + _FREQUENT_BONUS * min(1.0, 3 * frequent / len(foreign))


def _western_share(text: str) -> float:
    """How many of the non-ASCII characters Western European languages use every day."""
    foreign = [character for character in text[:_SAMPLE] if character > "\x7f"]
    return sum(1 for character in foreign if character in _WESTERN) / max(1, len(foreign))


@lru_cache(maxsize=8192)
def _is_common(character: str, encoding: str) -> bool:
    point = ord(character)
    if (
        0x3000 <= point < 0x3020
        or 0xFF01 <= point < 0xFF60
        or point in (0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026)
    ):
        return True
    if encoding in ("euc_jp", "shift_jis"):
        return 0x3040 <= point < 0x3100 or _level(character, "euc_jp", 0xB0, 0xCF)
    if encoding == "euc_kr":
        return 0xAC00 <= point < 0xD7A4
    if encoding == "big5hkscs":
        return _level(character, "big5", 0xA4, 0xC6)
    return _level(character, "gb2312", 0xB0, 0xD7) or _level(character, "big5", 0xA4, 0xC6)


def _level(character: str, codec: str, first: int, last: int) -> bool:
    try:
        return first <= character.encode(codec)[0] <= last
    except UnicodeEncodeError:
        return False


def _superset(declared: str | None) -> str | None:
    """The declared encoding, or the larger one that is meant: "gb2312" on the web is GBK or GB18030."""
    if not declared:
        return None
    try:
        name = codecs.lookup(declared.strip()).name
    except LookupError:
        return None
    return {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso8859-1": "cp1252", "ascii": None}.get(
        name, name
    )


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _lenient(sample: bytes, encoding: str) -> str | None:
    """Decoded except for a character that the sample's end cuts in two, and for one wrong byte in a thousand."""
    text = sample.decode(encoding, "replace")
    return text if text.count("\ufffd") <= 1 + len(text) // 1000 else None


def _readable(text: str) -> str:
    control = len(_CONTROL.findall(text[:_SAMPLE])) + sum(
        1 for character in text[:2000] if unicodedata.category(character) in ("Cn", "Co")
    )
    if control > 2 + _MOST_CONTROL * min(len(text), _SAMPLE):
        raise ItemFailed("encoding_unknown", "The file is not readable as text. Save it as UTF-8 text.")
    return text
