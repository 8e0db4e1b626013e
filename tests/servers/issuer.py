"""An identity provider on a real port: discovery, keys that rotate, tokens of every kind, and outages."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.servers.pages_server import PagesServer, Said, pages_server

AUDIENCE = "zhiku"
DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ["RS256", "RS384", "PS256", "ES256", "ES384", "HS256"]
_KEYS = {
    name: RSAKey.generate_key(2048, {"kid": name}, auto_kid=False) for name in ("first", "second", "attacker", "third")
}
"""Made once: RSA keys take their time."""


@dataclass
class Issuer:
    """A running provider. `published` are the keys that it shows; `down` makes it answer with 500."""

    server: PagesServer
    published: list[RSAKey | ECKey] = field(default_factory=list)
    extra_keys: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False

    @property
    def url(self) -> str:
        """The issuer's name."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.server.paths.count("/keys")

    def rsa(self, name: str) -> RSAKey:
        """A key of this name; `first` is published from the start."""
        return _KEYS[name]

    def claims(self, **more: Any) -> dict[str, Any]:
        """Claims of an access token that holds now; None leaves one out."""
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "s-1",
            "iat": now - 5,
            "exp": now + 300,
            "preferred_username": "li.na",
            "scope": "openid",
            "typ": "Bearer",
        }
        return {name: value for name, value in (usual | more).items() if value is not None}

    def token(
        self,
        *,
        key: RSAKey | ECKey | None = None,
        alg: str = "RS256",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A signed token, of the first key if no other is given; None leaves a part of the header out."""
        key = key or self.rsa("first")
        parts = {"alg": alg, "kid": key.kid, "typ": "JWT"} | (header or {})
        return jws.serialize_compact(
            {name: value for name, value in parts.items() if value is not None},
            json.dumps(self.claims(**claims)).encode(),
            key,
            registry=jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False),
        )

    def _keys(self) -> Said:
        if self.down:
            return Said(500, b"broken")
        keys = [key.as_dict(private=False) for key in self.published]
        return Said(body=json.dumps({"keys": [*keys, *self.extra_keys]}).encode())

    def _described(self) -> Said:
        if self.down:
            return Said(500, b"broken")
        return Said(body=json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode())


@contextmanager
def issuer_server() -> Iterator[Issuer]:
    """A provider on a free loopback port, gone when the block ends."""
    with pages_server() as server:
        issuer = Issuer(server)
        issuer.published.append(issuer.rsa("first"))
        server.pages["/keys"] = issuer._keys
        server.pages[DISCOVERY] = issuer._described
        yield issuer


def assembled(header: dict[str, Any], claims: object, signature: bytes = b"") -> str:
    """A token of any header and payload, with any signature."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
