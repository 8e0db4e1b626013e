"""Attempts to log in, counted in Redis for all API processes: by name and by the client's address."""

import ipaddress
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import parse_qs, urlsplit

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from kbcore.errors import TooManyRequests, Unavailable
from kbcore.settings import LoginSettings

_TIMEOUT_S = 2.0
_PREFIX = "zhiku:attempts"
_NETWORK_BITS = 64
"""Of IPv6: what one customer is given at least, and changes addresses within at will."""


class Attempts:
    """Counts before a password is looked at. Opens no connection before the first use.

    `url`: `redis://…`, or `redis+socket://…` for the embedded one.
    """

    def __init__(self, url: str, settings: LoginSettings) -> None:
        self._url = url
        self._by_name = RateLimitItemPerMinute(settings.attempts_per_name, settings.window_minutes, "name")
        self._by_address = RateLimitItemPerMinute(settings.attempts_per_address, settings.window_minutes, "address")

    def count(self, name: str, address: str | None) -> None:
        """Count one attempt. `name` is a pseudonym.

        Raises `TooManyRequests` (`too_many_attempts`), `Unavailable` if Redis does not answer: what can't be counted
        can't be allowed.
        """
        with _said_plainly():
            for item, who in ((self._by_address, _network(address)), (self._by_name, name)):
                if not self._limiter.hit(item, who):
                    left = self._limiter.get_window_stats(item, who).reset_time - time.time()
                    raise TooManyRequests(
                        "Too many attempts to log in; wait.",
                        retry_after=max(1, math.ceil(left)),
                        code="too_many_attempts",
                    )

    def forget(self, name: str) -> None:
        """A success: the attempts by this name count no more, those from the address still do."""
        with _said_plainly():
            self._limiter.clear(self._by_name, name)

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        storage = RedisStorage(
            _limits_url(self._url),
            key_prefix=_PREFIX,
            wrap_exceptions=True,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
        )
        return MovingWindowRateLimiter(storage)


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Unavailable(f"Redis does not answer ({type(error.storage_error).__name__}); nobody can log in") from error


def _network(address: str | None) -> str:
    """Whose attempts are counted together."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(parsed)


def _limits_url(url: str) -> str:
    """Celery's name for a Redis on a unix socket, as the library has it; other addresses stay."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"redis+unix://{parts.netloc}{parts.path}?db={database}"
