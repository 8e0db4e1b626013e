"""Mail (eml, RFC 5322): subject, people, date, then the body; attachments by name only."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.plain_text import read_text
from ingestion.load.web_page import read_html
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import EML
from kbcore.errors import ItemFailed

_FIELDS = ("From", "To", "Cc", "Date")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message of either kind. Empty fields are left out of its text."""

    subject: str
    fields: tuple[tuple[str, str], ...]
    body: tuple[Element, ...]
    attachments: tuple[str, ...]


def load(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """An .eml file. The plain text body is preferred: the HTML one says the same with more decoration."""
    data = path.read_bytes()
    if data.startswith(_UTF16) or b"\0" in data[:64]:
        data = decode(data).encode("utf-8", "replace")
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise ItemFailed("broken_file", "The mail has no header. Export it again.")
    part = message.get_body(("plain", "html"))
    if part is None or not _content(part).strip():
        part = message.get_body(("html", "plain"))
    mail = Mail(
        subject=_field(message, "Subject"),
        fields=tuple((name, _field(message, name)) for name in _FIELDS),
        body=read_body(_content(part), is_html=part.get_content_subtype() == "html") if part is not None else (),
        attachments=tuple(attached.get_filename() or "" for attached in _attachments(message)),
    )
    return Loaded(tuple(elements_of(mail)), EML, title=mail.subject or None)


def elements_of(mail: Mail) -> Iterator[Element]:
    """The text of a message, its subject as the heading of everything."""
    if mail.subject:
        yield Element(ElementKind.HEADING, mail.subject, depth=1)
    envelope = "\n".join(f"{name}: {value}" for name, value in mail.fields if value)
    if envelope:
        yield Element(ElementKind.TEXT, envelope)
    for element in mail.body:
        is_heading = element.kind is ElementKind.HEADING
        yield replace(element, depth=(element.depth or 1) + 1) if is_heading else element
    names = [name for name in mail.attachments if name]
    if names:
        yield Element(ElementKind.TEXT, f"Attachments (not read): {', '.join(names)}")


def read_body(text: str, *, is_html: bool) -> tuple[Element, ...]:
    """The elements of a body."""
    return read_html(text)[0] if is_html else read_text(text)


def _attachments(message: EmailMessage) -> list[MIMEPart]:
    return list(message.iter_attachments()) if message.is_multipart() else []


def _field(message: EmailMessage, name: str) -> str:
    """A header field as text; one that breaks the rules is read as it stands."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError, TypeError):
        raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
        return " ".join(raw.split())


def _content(part: MIMEPart) -> str:
    """A part's text. The declared charset is believed when it works; "gb2312" is read as its superset."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return decode(payload, part.get_content_charset()) if payload.strip() else ""
