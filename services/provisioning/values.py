"""Values out of SCIM resources, checked: what fits becomes a column's value, what does not is refused."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from kbcore.domain.names import checked_name
from services.provisioning.patches import folded
from services.provisioning.refusals import invalid_value

_LONGEST_LINE = 500
_LONGEST_ID = 255


def user_name(value: object) -> str:
    """A user's name. Raises `RequestError` (`invalid_value`)."""
    if not isinstance(value, str):
        raise invalid_value("userName is needed, as a string.")
    try:
        return checked_name(value.strip())
    except ValueError as error:
        raise invalid_value(f"userName does not fit ({error}). Map another attribute of the directory to it.") from None


def line(attribute: str, value: object) -> str:
    """One line of text, 1 to 500 characters. Raises `RequestError` (`invalid_value`)."""
    text = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""
    if not 0 < len(text) <= _LONGEST_LINE or any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        raise invalid_value(f"{attribute} must be one line of 1 to {_LONGEST_LINE} characters.")
    return text


def external_id(value: object) -> str | None:
    """What the directory knows a thing by; None for nothing. Raises `RequestError` (`invalid_value`)."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_ID or not value.isprintable():
        raise invalid_value(f"externalId must be a string of at most {_LONGEST_ID} printable characters.")
    return value


def email(value: object) -> str | None:
    """The address to keep out of a list of them: the primary one, else the first. Raises `RequestError`."""
    if value is None or value in ([], ""):
        return None
    if isinstance(value, str):
        return line("emails", value)
    entries = [folded(each) for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
    if not entries or len(entries) != len(value):  # type: ignore[arg-type]  # a list, if there are entries
        raise invalid_value("emails must be a list of objects with a value.")
    chosen = next((each for each in entries if each.get("primary") in (True, "true", "True")), entries[0])
    return line("emails", chosen.get("value"))


def display_name(resource: Mapping[str, Any], otherwise: str) -> str:
    """What a person is called: displayName, else the name's parts. `resource` is folded."""
    if resource.get("displayname"):
        return line("displayName", resource["displayname"])
    name = folded(resource["name"]) if isinstance(resource.get("name"), Mapping) else {}
    parts = [name.get("formatted")] if name.get("formatted") else [name.get("givenname"), name.get("familyname")]
    whole = " ".join(part for part in parts if isinstance(part, str) and part.strip())
    return line("name", whole) if whole else otherwise
