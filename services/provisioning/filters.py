"""SCIM filters, the part that directories use: `attribute eq value`, joined by `and` (RFC 7644, 3.4.2.2).

What comes out is attribute names out of a fixed list and values that SQL gets as parameters.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from services.provisioning.refusals import invalid_filter

CORE = "urn:ietf:params:scim:schemas:core:2.0:"
_CORE_PREFIX = re.compile(rf"{re.escape(CORE)}(user|group):", re.IGNORECASE)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*") | (?P<word>[A-Za-z$][\w$.:-]*) | (?P<bracket>[\[\]]))""",
    re.VERBOSE | re.ASCII,
)
_LONGEST = 2_000
_MOST_CONDITIONS = 10

Value = str | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute` (lower case, `members.value`) equals `value`."""

    attribute: str
    value: Value


def parse_filter(text: str, attributes: Collection[str]) -> list[Condition]:
    """The conditions, all of which must hold. Raises `RequestError` (`invalid_filter`)."""
    if len(text) > _LONGEST:
        raise invalid_filter(f"A filter has at most {_LONGEST:,} characters.")
    tokens = _tokens(text)
    found = list(_conditions(tokens))
    if len(found) > _MOST_CONDITIONS:
        raise invalid_filter(f"A filter has at most {_MOST_CONDITIONS} conditions.")
    for condition in found:
        if condition.attribute not in attributes:
            raise invalid_filter(f"Only these can be compared here: {', '.join(sorted(attributes))}.")
    return found


def bare(attribute: str) -> str:
    """An attribute's name without its schema, in lower case: SCIM's names have no case."""
    return _CORE_PREFIX.sub("", attribute).lower()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    end = 0
    while text[end:].strip():
        match = _TOKEN.match(text, end)
        if match is None:
            raise _unreadable()
        tokens.append(match[0].strip())
        end = match.end()
    return tokens


def _conditions(tokens: list[str]) -> list[Condition]:
    found: list[Condition] = []
    rest = tokens
    while True:
        conditions, rest = _term(rest)
        found += conditions
        if not rest:
            return found
        if rest[0].lower() != "and":
            raise _unreadable()
        rest = rest[1:]


def _term(tokens: list[str]) -> tuple[list[Condition], list[str]]:
    """`attribute eq value` or `attribute[attribute eq value and …]`, and what comes after it."""
    if len(tokens) < 3 or not _is_word(tokens[0]):
        raise _unreadable()
    attribute = bare(tokens[0])
    if tokens[1] == "[":
        try:
            end = tokens.index("]")
        except ValueError:
            raise _unreadable() from None
        if "[" in tokens[2:end]:
            raise _unreadable()
        inside = _conditions(tokens[2:end])
        return [Condition(f"{attribute}.{each.attribute}", each.value) for each in inside], tokens[end + 1 :]
    if tokens[1].lower() != "eq":
        raise _unreadable()
    return [Condition(attribute, _value(tokens[2]))], tokens[3:]


def _value(token: str) -> Value:
    if token.lower() in ("true", "false"):
        return token.lower() == "true"
    if not token.startswith('"'):
        raise _unreadable()
    try:
        return str(json.loads(token))
    except ValueError:
        raise _unreadable() from None


def _is_word(token: str) -> bool:
    return token[0] not in '"[]'


def _unreadable() -> Exception:
    return invalid_filter('Write a filter like: userName eq "li.na", several joined by `and`; only `eq` is understood.')
