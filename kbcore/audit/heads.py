"""Heads: the end of the chain at a moment, signed and kept outside the database.

The chain alone cannot show that its newest records were cut off; a head that was exported before can.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from kbcore.audit.chain import ChainKey, ChainKeys

_DOMAIN = b"zhiku audit head"  # no MAC of a record is made after 16 bytes, so none can pass for a head's


@dataclass(frozen=True, slots=True)
class Head:
    """The last record at `at`: its place in the chain and its MAC; `signature` is under the key `mac_key`."""

    seq: int
    mac: bytes
    at: datetime
    mac_key: str
    signature: bytes

    @classmethod
    def signed(cls, key: ChainKey, seq: int, mac: bytes, at: datetime) -> Self:
        """A head with its signature."""
        return cls(seq, mac, at, key.fingerprint, key.mac(_DOMAIN, _signed_part(seq, mac, at, key.fingerprint)))

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Self:
        """From its stored form. Raises `ValueError`, `KeyError` and `TypeError` for anything else."""
        return cls(
            seq=int(line["seq"]),
            mac=bytes.fromhex(line["mac"]),
            at=datetime.fromisoformat(line["at"]),
            mac_key=str(line["mac_key"]),
            signature=bytes.fromhex(line["signature"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Its stored form."""
        return {**_signed_part(self.seq, self.mac, self.at, self.mac_key), "signature": self.signature.hex()}

    def is_genuine(self, keys: ChainKeys) -> bool:
        """True if it was signed with a key that is known here, and not changed since."""
        key = keys.of(self.mac_key)
        if key is None:
            return False
        expected = key.mac(_DOMAIN, _signed_part(self.seq, self.mac, self.at, self.mac_key))
        return hmac.compare_digest(expected, self.signature)


class HeadStore(Protocol):
    """Where heads are kept, in the order of their export; nothing is ever changed there."""

    def write(self, head: Head) -> None:
        """Keep a head, durable on return. Raises `Unavailable`."""

    def read(self) -> Iterator[Head | None]:
        """Every head, oldest first; None for each thing that is no head. Raises `Unavailable`."""

    def last(self) -> Head | None:
        """The last one written; None if there is none, or it is no head. Raises `Unavailable`."""


def _signed_part(seq: int, mac: bytes, at: datetime, mac_key: str) -> dict[str, Any]:
    return {"seq": seq, "mac": mac.hex(), "at": at.isoformat(), "mac_key": mac_key}
