"""Which IP addresses are the public internet, and which are somebody's inside.

Source: the IANA special-purpose address registries (RFC 6890 and its updates). An explicit list rather than
`ipaddress.is_global`, whose meaning has changed between Python versions. Of IPv6 only 2000::/3 is given out.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""The host names of this machine: no proxy can reach them for us."""

_CLOSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform service, on a public address
        "169.254.0.0/16",  # link-local; metadata services of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GIVEN_OUT_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: any IPv4 address inside, private ones too (RFC 7526 retires it)
        "3fff::/20",
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """True if the address is of the public internet. An IPv4 address inside an IPv6 one is judged itself."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address in _MAPPED or address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GIVEN_OUT_V6 and not any(address in network for network in _CLOSED_V6)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """True if one of the networks holds the address, or the IPv4 address that it is a mapped form of."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any(form in network for form in (address, mapped) if form is not None for network in networks)


def is_odd_number(host: str) -> bool:
    """True for a host that some software reads as an IPv4 address although it is not written as one.

    `2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`: a name whose last label is a number, as WHATWG's URL standard says.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    if not (last.isdigit() or last.startswith("0x")):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False
