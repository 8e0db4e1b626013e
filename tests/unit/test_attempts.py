"""Whose attempts are counted together, and where Redis is."""

import pytest

from services.auth.attempts import _limits_url, _network


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
        (None, "unknown"),
    ],
)
def test_addresses_of_one_network_of_ipv6_count_together(address: str | None, counted: str) -> None:
    assert _network(address) == counted


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("redis://:pw@host:6379/2", "redis://:pw@host:6379/2"),
        ("rediss://host/0", "rediss://host/0"),
        ("redis+socket:///run/redis", "redis+unix:///run/redis?db=0"),
        ("redis+socket://:pw@/run/redis?virtual_host=3", "redis+unix://:pw@/run/redis?db=3"),
    ],
)
def test_celerys_addresses_are_understood(ours: str, theirs: str) -> None:
    assert _limits_url(ours) == theirs
