"""Outlook messages (msg): the properties read straight from the compound file ([MS-OXMSG]).

The usual library takes 8-bit texts for Latin when a message names no code page, which turns Chinese mail to noise.
"""

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.mail import Mail, elements_of, read_body
from kbcore.domain.chunk import Loaded
from kbcore.domain.media_types import MSG
from kbcore.errors import ItemFailed

_SUBJECT, _SENDER, _TO, _CC, _BODY, _HTML = "0037", "0C1A", "0E04", "0E03", "1000", "1013"
_LONG_NAME, _SHORT_NAME = "3707", "3704"
_SENT = 0x00390040
_PROPERTIES = "__properties_version1.0"
_TOP_HEADER, _ENTRY = 32, struct.Struct("<IIq")
_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def load(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """An Outlook .msg file. A body that is only RTF is not read."""
    import olefile  # noqa: PLC0415 — only for this format

    try:
        with olefile.OleFileIO(path) as compound:
            mail = _read(compound)
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error) as error:
        raise ItemFailed("broken_file", f"The message is damaged ({type(error).__name__}). Export it again.") from None
    return Loaded(tuple(elements_of(mail)), MSG, title=mail.subject or None)


def _read(compound: Any) -> Mail:
    plain, rich = _text(compound, _BODY), _text(compound, _HTML)
    folders = sorted({entry[0] for entry in compound.listdir() if entry[0].startswith("__attach_version1.0")})
    names = [_text(compound, _LONG_NAME, folder) or _text(compound, _SHORT_NAME, folder) for folder in folders]
    return Mail(
        subject=" ".join(_text(compound, _SUBJECT).split()),
        fields=(
            ("From", _text(compound, _SENDER)),
            ("To", _text(compound, _TO)),
            ("Cc", _text(compound, _CC)),
            ("Date", _sent(compound)),
        ),
        body=read_body(plain, is_html=False) if plain.strip() else read_body(rich, is_html=True),
        attachments=tuple(names),
    )


def _text(compound: Any, tag: str, folder: str = "") -> str:
    """A text property: UTF-16 (001F), bytes of some code page (001E) or binary HTML (0102); empty if absent."""
    for kind in ("001F", "001E", "0102"):
        name = [*([folder] if folder else []), f"__substg1.0_{tag}{kind}"]
        if compound.exists(name):
            data: bytes = compound.openstream(name).read()
            text = data.decode("utf-16-le", "replace") if kind == "001F" else decode(data) if data.strip() else ""
            return text.rstrip("\0")
    return ""


def _sent(compound: Any) -> str:
    data: bytes = compound.openstream(_PROPERTIES).read()[_TOP_HEADER:]
    for tag, _, value in _ENTRY.iter_unpack(data[: len(data) // _ENTRY.size * _ENTRY.size]):
        if tag == _SENT and value > 0:
            return (_WINDOWS_EPOCH + timedelta(microseconds=value // 10)).isoformat(" ", "seconds")
    return ""
