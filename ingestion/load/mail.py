"""Mail: RFC 5322 messages (eml) and Outlook's (msg). Subject, people, date, then the body; attachments by name."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.plain_text import read_text
from ingestion.load.web_page import read_html
from kbcore.domain.chunk import Element, ElementKind, Loaded
from kbcore.domain.media_types import EML, MSG
from kbcore.errors import ItemFailed

_FIELDS = ("From", "To", "Cc", "Date")


def load_eml(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """An .eml file."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise ItemFailed("broken_file", "The mail has no header. Export it again.")
    fields = [(name, _field(message, name)) for name in _FIELDS]
    subject = _field(message, "Subject")
    body = message.get_body(("plain", "html"))
    body = message.get_body(("html", "plain")) if body is None or not _content(body).strip() else body
    texts = _body(_content(body), body.get_content_subtype() == "html") if body is not None else ()
    attachments = [part.get_filename() or "" for part in message.iter_attachments()] if message.is_multipart() else []
    return Loaded(tuple(_elements(subject, fields, texts, attachments)), EML, title=subject or None)


def load_msg(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001
    """An Outlook .msg file."""
    from oxmsg import Message  # noqa: PLC0415 — only for this format

    try:
        message = Message.load(str(path))
        to = "; ".join(f"{recipient.name} <{recipient.email_address}>" for recipient in message.recipients)
        sent = message.sent_date.isoformat(sep=" ") if message.sent_date else ""
        fields = [("From", message.sender or ""), ("To", to), ("Date", sent)]
        subject, plain, rich = message.subject or "", message.body or "", message.html_body or ""
        attachments = [attachment.file_name or "" for attachment in message.attachments]
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise ItemFailed("broken_file", f"The message is damaged ({type(error).__name__}). Export it again.") from None
    texts = _body(plain, False) if plain.strip() else _body(rich, True)
    return Loaded(tuple(_elements(subject, fields, texts, attachments)), MSG, title=subject or None)


def _elements(
    subject: str, fields: list[tuple[str, str]], body: tuple[Element, ...], attachments: list[str]
) -> Iterator[Element]:
    if subject:
        yield Element(ElementKind.HEADING, subject, depth=1)
    envelope = "\n".join(f"{name}: {value}" for name, value in fields if value)
    if envelope:
        yield Element(ElementKind.TEXT, envelope)
    for element in body:
        deeper = (element.depth or 1) + 1 if element.kind is ElementKind.HEADING else None
        yield Element(element.kind, element.text, element.page, deeper)
    if any(attachments):
        yield Element(ElementKind.TEXT, "Attachments (not read): " + ", ".join(name for name in attachments if name))


def _body(text: str, is_html: bool) -> tuple[Element, ...]:
    return read_html(text)[0] if is_html else tuple(read_text(text))


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
