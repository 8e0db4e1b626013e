"""The chain: each record's MAC covers the record and the MAC before it, under a key that the database does not hold.

Whoever can write to the database but has not the key can neither change, remove, reorder nor insert a record without
breaking the chain; cutting off its end shows against an exported head.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

FIRST = b""
"""The MAC before the first record."""


class ChainKey:
    """The secret of the chain: at least 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.fingerprint = hashlib.sha256(b"zhiku audit key\n" + secret).hexdigest()[:16]

    def pseudonym(self, text: str) -> str:
        """A word that stands for a text in the log: the same for the same text, meaningless without the key."""
        return hmac.digest(self._secret, b"zhiku pseudonym\n" + text.encode(), "sha256")[:16].hex()

    def mac(self, before: bytes, record: Mapping[str, Any]) -> bytes:
        """HMAC-SHA-256 (RFC 2104) over the MAC before and the record's canonical JSON; 32 bytes."""
        return hmac.digest(self._secret, len(before).to_bytes(1, "big") + before + canonical(record), "sha256")


class ChainKeys:
    """The key that records are made with now, and those that older records were made with."""

    def __init__(self, present: ChainKey, former: Sequence[ChainKey] = ()) -> None:
        self.present = present
        self._all = {key.fingerprint: key for key in (*former, present)}

    def of(self, fingerprint: str) -> ChainKey | None:
        """The key with this fingerprint; None if it is not known here."""
        return self._all.get(fingerprint)


def canonical(record: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8, keys sorted, no spaces. Raises `ValueError` for what has no such form."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()
