"""Signed documents: JSON with an Ed25519 signature (RFC 8032) over its canonical form.

Canonical: keys sorted, no spaces, UTF-8, without the member `signature`. Whoever has the document and the public key
can verify it without Zhiku.
"""

import base64
import binascii
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kbcore.errors import ConfigurationError

_SEED_BYTES = 32


class Signer:
    """Signs with one private key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = _encode(self._key.public_key().public_bytes_raw())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From base64 of 32 bytes. Raises `ConfigurationError`."""
        return cls(seed_from_text(text, "setting erasure.signing_key"))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """From a file, made with a new key if there is none (`seed_from_file`). Raises `ConfigurationError`."""
        return cls(seed_from_file(path))

    def sign(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document with `public_key` and `signature`, both base64."""
        named = {**document, "public_key": self.public_key}
        return {**named, "signature": _encode(self._key.sign(canonical(named)))}


def verify(document: Mapping[str, Any]) -> bool:
    """True if the document was signed with the private half of the `public_key` in it, and not changed since.

    Whose key that is, it does not say: compare `public_key` with the one that the signer has made known.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(str(document["public_key"]), validate=True))
        key.verify(base64.b64decode(str(document["signature"]), validate=True), canonical(document))
    except (KeyError, ValueError, InvalidSignature):
        return False
    return True


def canonical(document: Mapping[str, Any]) -> bytes:
    """What is signed."""
    signed = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seed_from_file(path: Path) -> bytes:
    """32 secret bytes from a file with their base64; made with new ones (mode 0600) if there is none.

    Several processes that begin at once agree on one key. Raises `ConfigurationError`.
    """
    try:
        if not path.exists():
            _make(path)
        return seed_from_text(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: the key cannot be read or made ({type(error).__name__}); set it in the settings instead "
            "(erasure.signing_key, audit.key)"
        ) from error


def _make(path: Path) -> None:
    """The file appears whole, or is the one that another process made first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_encode(secrets.token_bytes(_SEED_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(name)
    finally:
        Path(name).unlink()


def seed_from_text(text: str, where: str) -> bytes:
    """32 secret bytes from their base64; `where` names the place in the `ConfigurationError` for anything else."""
    try:
        seed = base64.b64decode(text, validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != _SEED_BYTES:
        raise ConfigurationError(
            f"{where}: must be base64 of {_SEED_BYTES} bytes, such as `openssl rand -base64 32` prints"
        )
    return seed


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
