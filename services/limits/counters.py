"""Counting in Redis, for all API processes: requests of the last minute, and answers that are being written.

One script looks at every limit before it counts for any, so that a request that one limit refuses uses up no other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from kbcore.errors import Unavailable

WINDOW_S = 60
LEASE_S = 120
"""After this an answer counts as no longer written, unless it says that it still is: its process may have died."""

BUSY_S = 5
"""`Retry-After` while as many answers are written as may be: nobody knows when one of them will be complete."""

_PREFIX = "zhiku:limits:"
_TIMEOUT_S = 0.5

# KEYS: the windows, then (if ARGV[4] > 0) the leases. ARGV: now and window in ms, the request's id, answers at once,
# the lease in ms, then one limit for each window, negative for one that is only looked at. Returns {which window
# refused (-1: the leases), wait in ms, counts…}.
_ADMIT = """
local now, window, id, most, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local windows = #KEYS - (most > 0 and 1 or 0)
local refused, wait, counts = 0, 0, {}
for i = 1, windows do
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - window)
    counts[i] = redis.call('ZCARD', KEYS[i])
    local limit = math.abs(tonumber(ARGV[5 + i]))
    if counts[i] >= limit then
        local frees = redis.call('ZRANGE', KEYS[i], counts[i] - limit, counts[i] - limit, 'WITHSCORES')
        local left = tonumber(frees[2]) + window - now
        if left > wait then refused, wait = i, left end
    end
end
if refused == 0 and most > 0 then
    local leases = KEYS[#KEYS]
    redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
    if redis.call('ZCARD', leases) >= most then return {-1, 0, unpack(counts)} end
    redis.call('ZADD', leases, now + lease, id)
    redis.call('PEXPIRE', leases, lease)
end
if refused == 0 then
    for i = 1, windows do
        if tonumber(ARGV[5 + i]) > 0 then
            redis.call('ZADD', KEYS[i], now, id)
            redis.call('PEXPIRE', KEYS[i], window)
            counts[i] = counts[i] + 1
        end
    end
end
return {refused, wait, unpack(counts)}
"""


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` requests of `who` in any 60 s. `what` (`key`, `user`, `model`) is for messages and metrics.

    One that is not `counted` is only looked at: is there room for one more?
    """

    what: str
    who: str
    limit: int
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Counted:
    """`refused` is the limit that is reached (`answers`: too many at once), None if it was counted.

    `retry_after` is in seconds; `used` has the requests of the last minute for each window, with this
    one where it is counted.
    """

    refused: str | None
    retry_after: int
    used: tuple[int, ...]


class Counters:
    """Opens no connection before the first use. Every method raises `Unavailable` if Redis does not answer.

    `url`: `redis://…`, or `redis+socket://…` for the embedded one.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def admit(self, windows: Sequence[Window], request_id: str, now: float, *, user: str, answers: int) -> Counted:
        """Count a request at `now` (Unix time, seconds) and, with `answers` > 0, an answer of so many at once."""
        keys = [f"{_PREFIX}{each.what}:{each.who}" for each in windows]
        if answers:
            keys.append(_leases(user))
        limits = [each.limit if each.counted else -each.limit for each in windows]
        args: list[str | int] = [round(now * 1000), WINDOW_S * 1000, request_id, answers, LEASE_S * 1000, *limits]
        try:
            refused, wait, *used = self._admit(keys=keys, args=args)
        except RedisError as error:
            raise _gone(error) from error
        if refused == -1:
            return Counted("answers", BUSY_S, tuple(used))
        if refused:
            return Counted(windows[refused - 1].what, max(1, math.ceil(wait / 1000)), tuple(used))
        return Counted(None, 0, tuple(used))

    def renew(self, user: str, request_id: str, now: float) -> None:
        """The answer is still being written."""
        try:
            self._redis.zadd(_leases(user), {request_id: round((now + LEASE_S) * 1000)}, xx=True)
            self._redis.expire(_leases(user), LEASE_S)
        except RedisError as error:
            raise _gone(error) from error

    def release(self, user: str, request_id: str) -> None:
        """The answer is complete, or nobody waits for it any more."""
        try:
            self._redis.zrem(_leases(user), request_id)
        except RedisError as error:
            raise _gone(error) from error

    def close(self) -> None:
        """Give back the connections."""
        if "_redis" in self.__dict__:
            self._redis.close()

    @cached_property
    def _redis(self) -> Redis:
        return Redis.from_url(
            _redis_url(self._url), socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, decode_responses=True
        )

    @cached_property
    def _admit(self) -> Script:
        return self._redis.register_script(_ADMIT)


def _leases(user: str) -> str:
    return f"{_PREFIX}answers:{user}"


def _gone(error: Any) -> Unavailable:
    return Unavailable(f"Redis does not answer ({type(error).__name__}); requests cannot be counted")


def _redis_url(url: str) -> str:
    """Celery's name for a Redis on a unix socket, as its client has it; other addresses stay."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0]
    return f"unix://{parts.netloc}{parts.path}?db={database}"
