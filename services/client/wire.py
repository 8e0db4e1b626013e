"""Requests and responses of both clients, without the sending."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypedDict, TypeVar
from urllib.parse import urlsplit

import httpx

from services.client.answers import AskEvent, Json, read_event
from services.client.errors import BadAnswer, Unreachable, of_problem

Mode = Literal["hybrid", "dense", "keyword"]
T = TypeVar("T")

SEARCH_TIMEOUT_S = 30.0
ASK_TIMEOUT_S = 180.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Filters(TypedDict, total=False):
    """Narrows a search; everything that is given must hold."""

    tags: Sequence[str]
    language: Literal["zh", "en"]
    metadata: Mapping[str, object]


class Connection(TypedDict):
    """What both kinds of httpx client are made with."""

    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


def connection(url: str, key: str) -> Connection:
    """Redirects are not followed: the key is for this server alone. Proxies of the environment are, off loopback."""
    return {
        "base_url": url,
        "headers": {"Authorization": f"Bearer {key}"},
        "timeout": httpx.Timeout(SEARCH_TIMEOUT_S, connect=10.0),
        "trust_env": urlsplit(url).hostname not in _LOOPBACK,
    }


def body(**given: Any) -> dict[str, Any]:
    """JSON of a request: what is None is left to the server's defaults."""
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Failures of the connection as `Unreachable`; they never repeat the key or what was asked."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"Zhiku does not answer at {url} ({type(error).__name__}).") from error


def require_success(response: httpx.Response) -> None:
    """Raises the exception for an error; the response must have been read."""
    if response.is_success:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        raise BadAnswer(f"What answers is not Zhiku: HTTP {response.status_code}.", status=response.status_code)
    try:
        retry_after = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        retry_after = None
    raise of_problem(response.status_code, problem, retry_after)


def decoded(response: httpx.Response, read: Callable[[Json, str], T], url: str) -> T:
    """The answer as a value. Raises what `require_success` raises, and `BadAnswer`."""
    require_success(response)
    return understood(response.content, read, url)


def understood(content: bytes, read: Callable[[Json, str], T], url: str) -> T:
    """JSON as a value. Raises `BadAnswer`."""
    try:
        return read(json.loads(content), url)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadAnswer(f"The answer is not one of Zhiku's ({type(error).__name__}).") from None


class EventReader:
    """Server-sent events out of pieces of bytes. `finished` after the last event of an answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []
        self.finished = False

    def feed(self, piece: bytes) -> list[AskEvent]:
        """The events that this piece completes. Raises the exception of an `error` event, and `BadAnswer`."""
        # Not by `splitlines`, nor by httpx's lines: text may hold separators such as U+2028, which end no line here.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [event for line in lines if (event := self._line(line.removesuffix(b"\r"))) is not None]

    def end(self) -> None:
        """Raises `Unreachable` if the stream ended too early."""
        if not self.finished:
            raise Unreachable(f"Zhiku at {self._url} broke off in the middle of an answer.")

    def _line(self, line: bytes) -> AskEvent | None:
        if not line:
            return self._event()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._data.append(value)
        return None

    def _event(self) -> AskEvent | None:
        name, data = self._name, b"\n".join(self._data)
        self._name, self._data = "", []
        if not data:
            return None
        if name == "error":
            raise understood(data, lambda given, _: of_problem(int(given["status"]), given), self._url)
        self.finished = self.finished or name == "done"
        return understood(data, lambda given, url: read_event(name, given, url), self._url)
