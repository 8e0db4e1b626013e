"""From a bearer token to what its issuer says, or to a reason for the log why it counts for nothing."""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jws import CompactSignature, JWSRegistry

from kbcore.identity.claims import refuse_claims, refuse_header
from kbcore.identity.keys import IssuerKeys, SigningKey
from kbcore.identity.refusal import TokenRefused

MAX_TOKEN_BYTES = 16_384
_REMEMBERED = 5_000


@dataclass(frozen=True, slots=True)
class Presented:
    """A token that the issuer has signed for us. `fresh` is False if this process had checked it before."""

    issuer: str
    subject: str
    issued_at: datetime
    claims: Mapping[str, Any]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say."""

    issuer: str
    audience: str
    algorithms: Collection[str]
    leeway_s: int
    max_age_s: int


class Tokens:
    """Checks access tokens of one issuer, and remembers the checked ones. Thread-safe."""

    def __init__(
        self,
        keys: IssuerKeys,
        expected: Expected,
        *,
        remember_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A signature is trusted for `remember_s` seconds, or until the token ends, without being checked again."""
        self._keys = keys
        self._expected = expected
        self._remember_s = remember_s
        self._clock = clock
        self._registry = _Registry(algorithms=list(expected.algorithms), strict_check_header=False)
        self._lock = Lock()
        self._checked: OrderedDict[bytes, tuple[float, Mapping[str, Any]]] = OrderedDict()

    def read(self, token: str) -> Presented:
        """What the token says. Raises `TokenRefused`, and `Unavailable` if there are no keys to check it with."""
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise TokenRefused("too long, or not ASCII")
        now = self._clock()
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._remembered(digest, now)
        fresh = claims is None
        if claims is None:
            claims = self._check(token)
        refuse_claims(claims, self._expected, now)  # every time: it may have ended since
        if fresh:
            self._remember(digest, claims, now)
        return Presented(
            issuer=claims["iss"],
            subject=claims["sub"],
            issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
            claims=claims,
            fresh=fresh,
        )

    def _check(self, token: str) -> Mapping[str, Any]:
        try:
            signed = jws.extract_compact(token.encode(), registry=self._registry)
            header = signed.headers()
            refuse_header(header, self._expected.algorithms)
            # The keys come from the issuer alone: `jwk`, `jku`, `x5c` and `x5u` of the header are never looked at.
            keys = [key for key in self._keys.named(header["kid"]) if _fits(key, header["alg"])]
            if not any(self._signed_with(signed, key) for key in keys):
                raise TokenRefused("no key of the issuer made this signature")
            claims = json.loads(signed.payload)
        except (JoseError, ValueError, RecursionError) as error:
            raise TokenRefused(type(error).__name__) from None
        if not isinstance(claims, dict):
            raise TokenRefused("its payload is no JSON object")
        return claims

    def _signed_with(self, signed: CompactSignature, key: SigningKey) -> bool:
        try:
            return jws.validate_compact(signed, key, registry=self._registry)
        except JoseError:  # a key that says it is for another algorithm
            return False

    def _remembered(self, digest: bytes, now: float) -> Mapping[str, Any] | None:
        with self._lock:
            until, claims = self._checked.get(digest, (0.0, None))
            if claims is None or now >= until:
                self._checked.pop(digest, None)
                return None
            self._checked.move_to_end(digest)
            return claims

    def _remember(self, digest: bytes, claims: Mapping[str, Any], now: float) -> None:
        with self._lock:
            self._checked[digest] = (min(float(claims["exp"]), now + self._remember_s), claims)
            while len(self._checked) > _REMEMBERED:
                self._checked.popitem(last=False)


class _Registry(JWSRegistry):
    max_header_length = 8_192  # Entra's and others' headers carry certificates' thumbprints, even chains
    max_payload_length = MAX_TOKEN_BYTES


def _fits(key: SigningKey, algorithm: str) -> bool:
    """A key checks only what it was made for: RSA keys RS and PS, each curve its own ES."""
    if isinstance(key, ECKey):
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}.get(key.curve_name) == algorithm
    return algorithm.startswith(("RS", "PS"))
