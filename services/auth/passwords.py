"""Passwords: Argon2id (RFC 9106), and which ones are not taken."""

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from kbcore.errors import TooManyRequests, Unprocessable

_COMMON_WORDS = """
password1234 passwordpassword password12345 password123456 passw0rd1234 p@ssw0rd1234 p@ssword1234 administrator
admin1234567 admin123456789 adminadminadmin letmeinletmein welcome12345 welcome123456 changeme1234 changemechangeme
123456789012 1234567890123 12345678901234 1234567890qwerty 123456789abc 123qweasdzxc 1q2w3e4r5t6y 1qaz2wsx3edc
1qaz2wsx3edc4rfv q1w2e3r4t5y6 qwertyuiop12 qwertyuiop123 qwertyuiopasdf qwerty123456 qwerty1234567 asdfghjkl123
abcd12345678 abc123456789 abcdefghijkl abcdefg12345 iloveyou1234 iloveyouiloveyou woaini123456 woaini1314520
woaiwojia123 aa123456789 a1234567890 zxcvbnm12345 zxcvbnm123456 monkey123456 dragon123456 football1234
sunshine1234 princess1234 internet1234 computer1234 summer2024summer correcthorsebatterystaple
"""

COMMON = frozenset(_COMMON_WORDS.split())
"""The commonest ones that are long enough for the shortest length by default."""

_FEWEST_CHARACTERS = 4
_AT_ONCE = 2
"""Hashes under way at a time in one process: each takes 64 MiB."""

_PATIENCE_S = 5.0


class Passwords:
    """Hashes and verifies. `hasher` is another one in tests only."""

    def __init__(self, *, min_chars: int, hasher: PasswordHasher | None = None) -> None:
        self._min_chars = min_chars
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """In PHC form, with a fresh salt."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """True if the password fits. Without a stored hash it costs the same, and is False."""
        with self._turn():
            nobodys = self._nobodys  # made at the first call, whoever logs in
            try:
                self._hasher.verify(nobodys if stored is None else stored, _normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """True if it was hashed with other parameters than one would use now."""
        return self._hasher.check_needs_rehash(stored)

    def require_good(self, password: str, user_name: str) -> None:
        """Raises `Unprocessable` (`weak_password`) for one that is short, common, or made from the user's name."""
        folded, name = _normal(password).casefold(), user_name.casefold()
        if len(_normal(password)) < self._min_chars:
            raise Unprocessable(f"A password has at least {self._min_chars} characters.", code="weak_password")
        if name in folded:
            raise Unprocessable("A password must not contain the user's name.", code="weak_password")
        if folded in COMMON or len(set(folded)) < _FEWEST_CHARACTERS:
            raise Unprocessable("This password is too easily guessed.", code="weak_password")

    @cached_property
    def _nobodys(self) -> str:
        """The hash of a password that nobody knows."""
        return self._hasher.hash(secrets.token_urlsafe(32))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_PATIENCE_S):
            raise TooManyRequests("Many people are logging in; try again in a moment.", retry_after=2)
        try:
            yield
        finally:
            self._turns.release()


def _normal(password: str) -> str:
    """One form for what looks the same, however it was typed."""
    return unicodedata.normalize("NFC", password)
