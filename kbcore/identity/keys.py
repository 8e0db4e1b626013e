"""The public keys of an issuer: fetched when needed, for all requests together, and not as often as somebody likes."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from kbcore.egress.client import Egress
from kbcore.errors import Unavailable, ZhikuError

SigningKey = RSAKey | ECKey

_log = structlog.get_logger(__name__)

_PAUSE_S = 10.0
"""Between two fetches: whoever sends tokens with made-up key ids must not make us hammer the issuer."""
_TIMEOUT_S = 5.0
_MAX_BYTES = 1_000_000
_MIN_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class KeySet:
    """The issuer's keys by key id, as they were at `fetched` (monotonic seconds)."""

    by_id: Mapping[str, tuple[SigningKey, ...]] = field(default_factory=dict)
    fetched: float = float("-inf")


class IssuerKeys:
    """The signing keys of one issuer. Thread-safe; opens nothing before it is used."""

    def __init__(
        self,
        egress: Egress,
        issuer: str,
        *,
        jwks_url: str = "",
        ttl_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keys are asked for anew `ttl_s` after they came, and used for at most twice as long while nobody answers."""
        self._egress = egress
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._allow = frozenset(_host_and_port(url) for url in (issuer, jwks_url) if url)
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = Lock()
        self._keys = KeySet()
        self._tried = float("-inf")

    def named(self, key_id: str) -> tuple[SigningKey, ...]:
        """The keys with this id, none if the issuer has none. Raises `Unavailable` (`identity_provider_unavailable`).

        An unknown id makes it look once more, at most every ten seconds; requests that ask meanwhile share that.
        """
        keys = self._keys
        if key_id not in keys.by_id or self._age(keys) > self._ttl_s:
            keys = self._refreshed(keys)
        if self._age(keys) > 2 * self._ttl_s:
            raise Unavailable(
                "The identity provider does not answer, so its tokens cannot be checked. Ask again, or use an API key.",
                code="identity_provider_unavailable",
            )
        return keys.by_id.get(key_id, ())

    def _refreshed(self, seen: KeySet) -> KeySet:
        with self._lock:
            now = self._clock()
            if self._keys is not seen or now - self._tried < _PAUSE_S:
                return self._keys
            self._tried = now
            try:
                self._keys = KeySet(self._fetch(), now)
            except (ZhikuError, ValueError, KeyError, TypeError) as error:
                why = error.detail if isinstance(error, ZhikuError) else type(error).__name__
                _log.warning("the identity provider's keys cannot be read", issuer=self._issuer, detail=why)
            return self._keys

    def _fetch(self) -> dict[str, tuple[SigningKey, ...]]:
        found: dict[str, tuple[SigningKey, ...]] = {}
        for entry in self._json(self._jwks_url or self._discovered())["keys"]:
            key = _signing_key(entry)
            if key is not None:
                found[entry["kid"]] = (*found.get(entry["kid"], ()), key)
        return found

    def _discovered(self) -> str:
        """The address of the keys, as the issuer's metadata has it (OpenID Connect Discovery 1.0)."""
        described = self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if described["issuer"] != self._issuer:
            raise Unavailable("its metadata names another issuer; oidc.issuer must be written exactly as there")
        address = str(described["jwks_uri"])
        if self._issuer.startswith("https:") and not address.startswith("https:"):
            raise Unavailable("its metadata names keys at an unprotected address")
        return address

    def _json(self, url: str) -> Any:
        # An administrator has named this host, so it may be a private one; a redirect elsewhere would not be followed.
        fetched = self._egress.get(
            url,
            headers={"Accept": "application/json"},
            allow=self._allow,
            max_bytes=_MAX_BYTES,
            timeout_s=_TIMEOUT_S,
            max_redirects=0,
        )
        if fetched.status != 200:
            raise Unavailable(f"it answers HTTP {fetched.status}")
        return json.loads(fetched.body)

    def _age(self, keys: KeySet) -> float:
        return self._clock() - keys.fetched


def _signing_key(entry: Any) -> SigningKey | None:
    """A public key that signatures may be checked with; None for every other kind, and for one without an id."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
        return None
    made_for = {"alg": entry["alg"]} if isinstance(entry.get("alg"), str) else {}
    try:
        match entry.get("kty"):
            case "RSA":
                key = RSAKey.import_key({**{name: entry[name] for name in ("kty", "n", "e")}, **made_for})
                return key if key.public_key.key_size >= _MIN_RSA_BITS else None
            case "EC":
                return ECKey.import_key({**{name: entry[name] for name in ("kty", "crv", "x", "y")}, **made_for})
    except (JoseError, ValueError, KeyError, TypeError):
        _log.warning("a key of the identity provider cannot be read")
    return None


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
