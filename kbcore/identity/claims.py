"""What a token must say to count, beside a good signature (RFC 7519, RFC 8725, RFC 9068).

An ID token says who logged in to some program; a refresh token belongs between program and provider. Neither is a key
to this API, though the same issuer signs them all.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from kbcore.identity.refusal import TokenRefused

_HEADER_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_NOT_ACCESS = frozenset({"at_hash", "c_hash", "s_hash", "events"})
"""Claims of ID tokens and of security events."""
_MAX_SUBJECT = 255


class _Expected(Protocol):
    @property
    def issuer(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def leeway_s(self) -> int: ...
    @property
    def max_age_s(self) -> int: ...


def refuse_header(header: Mapping[str, Any], algorithms: Collection[str]) -> None:
    """Raises `TokenRefused` unless the header is that of an access token signed with one of the algorithms."""
    if not isinstance(header.get("alg"), str) or header["alg"] not in algorithms:
        raise TokenRefused("an algorithm that is not allowed")
    if not isinstance(header.get("kid"), str):
        raise TokenRefused("no key id")
    if "crit" in header or "b64" in header:
        raise TokenRefused("extensions that are not understood")
    if "typ" in header and str(header["typ"]).lower() not in _HEADER_TYPES:
        raise TokenRefused("its header says that it is no access token")


def refuse_claims(claims: Mapping[str, Any], expected: _Expected, now: float) -> None:
    """Raises `TokenRefused` unless the claims are those of an access token for us that holds now."""
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("another issuer")
    audience = claims.get("aud")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused("another audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise TokenRefused("no usable subject")
    _refuse_times(claims, expected, now)
    _refuse_kind(claims)


def _refuse_times(claims: Mapping[str, Any], expected: _Expected, now: float) -> None:
    if now >= _moment(claims, "exp") + expected.leeway_s:
        raise TokenRefused("expired")
    issued = _moment(claims, "iat")
    if issued > now + expected.leeway_s:
        raise TokenRefused("issued in the future")
    if now - issued > expected.max_age_s + expected.leeway_s:
        raise TokenRefused("issued too long ago")
    if "nbf" in claims and _moment(claims, "nbf") > now + expected.leeway_s:
        raise TokenRefused("not valid yet")


def _refuse_kind(claims: Mapping[str, Any]) -> None:
    kind = claims.get("typ")  # Keycloak's word: Bearer, ID, Refresh, Offline, Logout
    if kind is not None and kind != "Bearer":
        raise TokenRefused("no access token, as it says")
    if claims.get("token_use", "access") != "access":  # Cognito's word
        raise TokenRefused("no access token, as it says")
    if kind is None and (claims.keys() & _NOT_ACCESS or ("nonce" in claims and not claims.keys() & {"scp", "scope"})):
        raise TokenRefused("it has the claims of an ID token")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    """Seconds since 1970."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TokenRefused(f"no {name}")
    if not 0 <= value < 2**33:
        raise TokenRefused(f"{name} is out of range")
    return float(value)
