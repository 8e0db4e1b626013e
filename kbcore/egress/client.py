"""HTTP to addresses that a user can influence: the host is resolved once, judged, and exactly that is connected to."""

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import certifi
import httpcore
import httpx

from kbcore.egress.connection import Deadline, PinnedBackend, Resolver, system_resolver
from kbcore.egress.rules import EgressRules, Target
from kbcore.errors import Unavailable, Unprocessable

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `url` is where it came from, after redirects; header names are lower-case; `body` is as sent."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Egress:
    """Requests under `EgressRules`. No proxies, cookies or credentials of this machine; a connection for each hop.

    Thread-safe. Opens nothing before it is used.
    """

    def __init__(
        self, rules: EgressRules, *, resolver: Resolver = system_resolver, tls: ssl.SSLContext | None = None
    ) -> None:
        self._rules = rules
        self._resolver = resolver
        self._given_tls = tls

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        allow: Collection[str] = (),
        max_bytes: int,
        timeout_s: float,
        max_redirects: int = MAX_REDIRECTS,
    ) -> Fetched:
        """The answer, whatever its status. Only GET follows redirects, each judged like the first address.

        `allow` names hosts (`host` or `host:port`) that an administrator has set: they may be private. `timeout_s`
        holds for everything together, but for the system's own lookup of names. Raises `Unprocessable`
        (`address_refused`) and `Unavailable` (`remote_unavailable`).
        """
        deadline = Deadline(timeout_s)
        sent = dict(headers or {})
        redirects = max_redirects if method == "GET" else 0
        while True:
            target = self._rules.target(url, allow)
            fetched = self._once(method, target, sent, content, allow, max_bytes, deadline)
            following = fetched.headers.get("location") if fetched.status in _REDIRECTS else None
            if following is None or method != "GET":
                return fetched
            if redirects == 0:
                raise _failure("it redirects too often")
            redirects -= 1
            url = _joined(target.url, following)
            sent = _without_secrets(sent, target.url, url)

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        allow: Collection[str] = (),
        max_bytes: int,
        timeout_s: float,
        max_redirects: int = MAX_REDIRECTS,
    ) -> Fetched:
        """`request` with GET."""
        return self.request(
            "GET",
            url,
            headers=headers,
            allow=allow,
            max_bytes=max_bytes,
            timeout_s=timeout_s,
            max_redirects=max_redirects,
        )

    def _once(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes,
        allow: Collection[str],
        max_bytes: int,
        deadline: Deadline,
    ) -> Fetched:
        addresses = self._resolve(target)
        self._rules.judge(target, addresses, allow)
        url = httpcore.URL(
            scheme=target.url.raw_scheme, host=target.url.raw_host, port=target.port, target=target.url.raw_path
        )
        # Undecoded: a small compressed answer may be a huge one.
        sent = {"Host": target.url.netloc.decode("ascii"), "Accept-Encoding": "identity", **headers}
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls, network_backend=PinnedBackend(addresses, deadline)
                ) as pool,
                pool.stream(method, url, headers=list(sent.items()), content=content or None) as response,
            ):
                found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if found.get("content-encoding", "identity").lower() != "identity":
                    raise _failure("it answers compressed, which was not asked for")
                body = bytearray()
                for piece in response.iter_stream():
                    body += piece
                    if len(body) > max_bytes:
                        raise _failure(f"it answers with more than {max_bytes:,} bytes")
                return Fetched(str(target.url), response.status, found, bytes(body))
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise _failure(type(error).__name__) from error

    def _resolve(self, target: Target) -> list[str]:
        try:
            found = list(self._resolver(target.host, target.port))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise _failure("its host is not known")
        return found

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The machine's certificates, which may hold a company's own authority, and the usual ones."""
        if self._given_tls is not None:
            return self._given_tls
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context


def _joined(base: httpx.URL, location: str) -> str:
    try:
        following = base.join(location)
    except (httpx.InvalidURL, ValueError):
        raise _failure("it redirects to something that is no address") from None
    if base.scheme == "https" and following.scheme != "https":
        raise Unprocessable("This address leads from https to http, unprotected.", code="address_refused")
    return str(following)


def _without_secrets(headers: Mapping[str, str], before: httpx.URL, after: str) -> dict[str, str]:
    following = httpx.URL(after)
    if (following.scheme, following.host, following.port) == (before.scheme, before.host, before.port):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}


def _failure(why: str) -> Unavailable:
    return Unavailable(f"The address does not answer as it should: {why}.", code="remote_unavailable")
