"""JSON over HTTP to a server with a model, the same for embedding and reranking: retries, timeouts, clear errors."""

import math
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from kbcore.errors import ConfigurationError, Unavailable

ATTEMPTS = 4
LONGEST_WAIT_S = 8.0
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

_jitter = wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT_S)


class _Transient(Exception):
    """Worth another try; `wait_s` is what the server asked for, if it did."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class ModelServer:
    """One server, one pool of connections, opened at first use. Thread-safe."""

    def __init__(
        self, base_url: str, *, api_key: str, section: str, timeout_s: float = 60.0, patience_s: float = math.inf
    ) -> None:
        """`section` of the settings names it to people; the key goes into the `Authorization` header.

        `timeout_s` is for one attempt; none begins later than `patience_s` after the first.
        Raises `ConfigurationError` if the address is none.
        """
        self._base_url = _checked(base_url, section)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._section = section
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0))
        self._stop = stop_after_attempt(ATTEMPTS) | stop_before_delay(patience_s)
        self._lock = Lock()
        self._made: httpx.Client | None = None

    def post(self, path: str, payload: Mapping[str, object]) -> Any:
        """The decoded answer. Raises `Unavailable` after the last attempt, or at once if trying again cannot help."""
        retrying = Retrying(
            retry=retry_if_exception_type(_Transient),
            stop=self._stop,
            wait=_wait_s,
            reraise=True,
        )
        try:
            return retrying(self._post_once, path, payload)
        except _Transient as error:
            tried = retrying.statistics["attempt_number"]
            attempts = f"{tried} attempt{'s' if tried > 1 else ''}"
            raise Unavailable(f"The {self._section} server does not answer: {error} ({attempts}).") from error

    def close(self) -> None:
        """Give back the connections; the next call opens new ones."""
        with self._lock:
            client, self._made = self._made, None
        if client is not None:
            client.close()

    def _post_once(self, path: str, payload: Mapping[str, object]) -> Any:
        try:
            response = self._client().post(path, json=payload)
        except httpx.TransportError as error:
            raise _Transient(type(error).__name__) from error
        if response.status_code in RETRIED:
            raise _Transient(f"HTTP {response.status_code}", _asked_wait_s(response))
        if not response.is_success:
            # The body stays out: servers repeat the texts that they were sent.
            raise Unavailable(
                f"The {self._section} server refuses the request (HTTP {response.status_code}): "
                f"check base_url, model and api_key under [{self._section}]."
            )
        try:
            return response.json()
        except ValueError as error:
            raise Unavailable(
                f"The {self._section} server did not answer with JSON: check {self._section}.base_url."
            ) from error

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._made is None:
                self._made = httpx.Client(base_url=self._base_url, headers=self._headers, timeout=self._timeout)
            return self._made


def _checked(base_url: str, section: str) -> str:
    try:
        url = urlsplit(base_url)
        usable = url.scheme in {"http", "https"} and bool(url.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{section}.base_url must be an address such as http://127.0.0.1:8080/v1.")
    return base_url.rstrip("/")


def _asked_wait_s(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds; its other form, a date, counts as not said."""
    try:
        return float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Transient) and error.wait_s is not None:
        return min(max(error.wait_s, 0.0), LONGEST_WAIT_S)
    return _jitter(state)
