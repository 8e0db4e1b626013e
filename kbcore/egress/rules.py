"""Where requests may go: judged from the URL alone, then from the addresses that its host resolves to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import httpx

from kbcore.egress.addresses import Network, is_odd_number, is_public, is_within
from kbcore.errors import Unprocessable

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes."""

    url: httpx.URL
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What is allowed beyond the public internet on ports 80 and 443.

    `hosts`: names (`wiki.corp`) whose addresses are not judged, or `name:port` to open that port of it, too.
    `networks` may be reached although they are not public; `ports` are open everywhere.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset(_DEFAULT_PORTS.values())

    def target(self, url: str, allow: Collection[str] = ()) -> Target:
        """The URL, taken apart. Raises `Unprocessable` (`address_refused`); `allow` counts like `hosts`."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise _refusal("it cannot be read") from None
        host = parsed.raw_host.decode("ascii").lower()
        if parsed.scheme not in _DEFAULT_PORTS or not host:
            raise _refusal("it must begin with http:// or https:// and name a host")
        if parsed.userinfo:
            raise _refusal("a user name or password has no place in it")
        if is_odd_number(host) or "%" in host:
            raise _refusal("write the host as a name or as a plain IP address")
        port = parsed.port or _DEFAULT_PORTS[parsed.scheme]
        if port not in self.ports and f"{host}:{port}" not in self.hosts | set(allow):
            raise _refusal(f"port {port} is not open (setting egress.ports)")
        return Target(parsed, host, port)

    def judge(self, target: Target, addresses: Sequence[str], allow: Collection[str] = ()) -> None:
        """Raises `Unprocessable` (`address_refused`) if one address is not allowed; which one is not said."""
        names = self.hosts | set(allow)
        if target.host in names or f"{target.host}:{target.port}" in names:
            return
        for text in addresses:
            address = ip_address(text)
            if not is_public(address) and not is_within(address, self.networks):
                raise _refusal("its host is not on the public internet (settings egress.allow_hosts, allow_networks)")


def _refusal(why: str) -> Unprocessable:
    return Unprocessable(f"Zhiku does not connect to this address: {why}.", code="address_refused")
