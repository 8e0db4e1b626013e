"""SCIM PATCH (RFC 7644, 3.5.2), with the habits of Entra ID and Okta, as a list of single assignments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.provisioning.filters import Condition, bare, parse_filter
from services.provisioning.refusals import invalid_path, invalid_value

Verb = Literal["add", "replace", "remove"]

_PATH = re.compile(
    r"(?P<attribute>[a-z$][\w$-]*)(?:\[(?P<filter>.+)\])?(?:\.(?P<part>[a-z$][\w$-]*))?",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
_URN = re.compile(r"urn:[\w:.$-]+", re.ASCII | re.IGNORECASE)
_INSIDE = frozenset({"value", "type", "primary", "display"})
_MOST_OPERATIONS = 1_000
_LONGEST_PATH = 2_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """One change of one attribute: `attribute[conditions].part`, names in lower case."""

    verb: Verb
    attribute: str
    conditions: tuple[Condition, ...]
    part: str | None
    value: Any


def folded(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a resource by their bare names in lower case."""
    return {bare(str(name)): value for name, value in resource.items()}


def assignments(body: Mapping[str, Any]) -> list[Assignment]:
    """What a PATCH asks for, in order. Raises `RequestError` (`invalid_value`, `invalid_path`, `invalid_filter`)."""
    operations = folded(body).get("operations")
    if not isinstance(operations, list) or not 0 < len(operations) <= _MOST_OPERATIONS:
        raise invalid_value(f"Operations must be a list of 1 to {_MOST_OPERATIONS:,} operations.")
    found: list[Assignment] = []
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise invalid_value("An operation is an object with op, path and value.")
        parts = folded(operation)
        verb = _verb(parts.get("op"))
        path, value = parts.get("path"), parts.get("value")
        if path is not None:
            found.append(_assignment(verb, path, value))
        elif isinstance(value, Mapping) and verb != "remove":
            # Without a path the value is a piece of the resource; Entra writes whole paths for its keys.
            found += [_assignment(verb, name, each) for name, each in value.items()]
        else:
            raise invalid_path("Without a path, `value` must be an object, and `op` add or replace.")
    return found


def truth(value: object) -> bool:
    """A boolean; Entra writes it as the string "True" or "False". Raises `RequestError` (`invalid_value`)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid_value("active must be true or false.")


def _verb(value: object) -> Verb:
    match str(value).lower():
        case "add":
            return "add"
        case "replace":
            return "replace"
        case "remove":
            return "remove"
    raise invalid_value("op must be add, replace or remove.")


def _assignment(verb: Verb, path: object, value: Any) -> Assignment:
    text = path.strip() if isinstance(path, str) and len(path) <= _LONGEST_PATH else ""
    name, bracket, rest = text.partition("[")
    text = f"{bare(name)}{bracket}{rest}"
    if _URN.fullmatch(text):  # of an extension that is not kept here
        return Assignment(verb, text, (), None, value)
    match = _PATH.fullmatch(text)
    if match is None:
        raise invalid_path('A path is like active, name.familyName or members[value eq "…"].')
    conditions = tuple(parse_filter(match["filter"], _INSIDE)) if match["filter"] else ()
    return Assignment(verb, match["attribute"], conditions, match["part"] and match["part"].lower(), value)
