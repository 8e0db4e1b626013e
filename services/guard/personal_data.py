"""Finds personal data in text by form and checksum: numbers of people, accounts and machines, and given names."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address

from phonenumbers import Leniency, PhoneNumberMatcher

Span = tuple[int, int, str]
"""Start, end (characters) and kind."""

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9_][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])", re.ASCII
)
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])\d{17}[0-9Xx](?![0-9A-Za-z])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])", re.ASCII)
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.+-])\d(?:[ -]?\d){11,18}(?![\d-])")
_PASSPORT = re.compile(r"(?:护照|passport)\D{0,12}?([A-Z]{1,2}\d{7,8}|\d{9})(?![0-9A-Za-z])", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![0-9A-Fa-f:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Fa-f:])")
_GROUPED = re.compile(r"(?<![\w.,])[+(]{0,2}\d(?:[ ().-]{0,3}\d){6,14}(?: ?(?:x|ext\.?|转) ?\d{1,6})?(?![\d,]|\.\d)")
_SURELY_DIALLED = re.compile(r"\+|00\d|\(\d{2,4}\)")
_DIALLING = re.compile(
    r"\b(?:phone|tel|telephone|mobile|cell|fax|call|called|dial|whatsapp|number)\b|电话|手机|致电|拨打|传真|热线|联系",
    re.IGNORECASE,
)
_NEAR = 40
"""Characters before a number in which a word can say that it is one to call."""
_DATE = re.compile(r"(?:19|20)\d{2}[-. ]\d{1,2}[-. ]\d{1,2}|\d{1,2}[-. ]\d{1,2}[-. ](?:19|20)\d{2}")
_DIGITS = re.compile(r"\d")

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11643-1999 (ISO 7064, MOD 11-2)."""


def find(text: str, *, names: Sequence[str] = (), regions: Sequence[str] = ("CN", "US")) -> list[Span]:
    """All personal data, in order, non-overlapping; where two kinds overlap the surer one counts.

    `regions` are where telephone numbers without a country code may belong.
    """
    taken: list[Span] = []
    finders: tuple[Callable[[str], Iterator[Span]], ...] = (_emails, _ibans, _residents, _ssns, _cards, _passports)
    for finder in finders:
        taken += [span for span in finder(text) if not _overlaps(span, taken)]
    taken += [span for span in _addresses(text) if not _overlaps(span, taken)]
    taken += [span for span in _phones(text, regions) if not _overlaps(span, taken)]
    taken += [span for span in _names(text, names) if not _overlaps(span, taken)]
    return sorted(taken)


def is_resident_id(number: str) -> bool:
    """True for a Chinese resident id with a possible date and the right check character."""
    if not _RESIDENT.fullmatch(number) or not "18" <= number[6:8] <= "20":
        return False
    month, day = int(number[10:12]), int(number[12:14])
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return 1 <= month <= 12 and 1 <= day <= 31 and "10X98765432"[total % 11] == number[17].upper()


def is_luhn(digits: str) -> bool:
    """True if the last digit is the Luhn check digit of the others (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """True if the check digits are right (ISO 13616, MOD 97-10)."""
    compact = text.replace(" ", "").upper()
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def _emails(text: str) -> Iterator[Span]:
    return ((*match.span(), "EMAIL") for match in _EMAIL.finditer(text))


def _residents(text: str) -> Iterator[Span]:
    return ((*match.span(), "ID") for match in _RESIDENT.finditer(text) if is_resident_id(match.group()))


def _ssns(text: str) -> Iterator[Span]:
    return ((*match.span(), "SSN") for match in _SSN.finditer(text))


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        words = match.group().split(" ")
        for count in range(len(words), 0, -1):  # the match may have run on into the next words
            number = " ".join(words[:count])
            if len(number.replace(" ", "")) >= 15 and is_iban(number):
                yield match.start(), match.start() + len(number), "IBAN"
                break


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        digits = "".join(_DIGITS.findall(match.group()))
        if len(set(digits)) > 1 and is_luhn(digits):
            yield *match.span(), "CARD"


def _passports(text: str) -> Iterator[Span]:
    return ((*match.span(1), "PASSPORT") for match in _PASSPORT.finditer(text))


def _addresses(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                ip_address(match.group())
            except ValueError:
                continue
            if any(character.isalnum() for character in match.group()):
                yield *match.span(), "IP"


def _phones(text: str, regions: Sequence[str]) -> Iterator[Span]:
    if len(_DIGITS.findall(text)) < 7:
        return
    seen: list[Span] = []
    for region in regions:
        for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
            span = (match.start, match.end, "PHONE")
            if not _overlaps(span, seen):
                seen.append(span)
                yield span
    # Numbers of other countries, and misdialled ones: only where the form or a word says what they are.
    for found in _GROUPED.finditer(text):
        cue = _DIALLING.search(text, max(0, found.start() - _NEAR), found.start())
        if (cue or _SURELY_DIALLED.match(found.group())) and not _DATE.match(found.group()):
            span = (*found.span(), "PHONE")
            if not _overlaps(span, seen):
                yield span


def _names(text: str, names: Sequence[str]) -> Iterator[Span]:
    known = sorted({name for name in names if len(name) >= 2}, key=len, reverse=True)
    if not known:
        return
    parts = [rf"(?<!\w){re.escape(name)}(?!\w)" if name.isascii() else re.escape(name) for name in known]
    for match in re.finditer("|".join(parts), text):
        yield *match.span(), "NAME"


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end, _ in others)
