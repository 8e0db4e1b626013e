"""Requests to addresses that users can influence: nothing inside is reached, by any notation, answer or redirect.

127.0.0.1 is allowed here and plays the public internet; 127.0.0.2 is what must never be asked. Names are resolved by
the test; everything else is real.
"""

import datetime
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kbcore.egress.addresses import is_public
from kbcore.egress.client import Egress
from kbcore.egress.rules import EgressRules
from kbcore.errors import Unavailable, Unprocessable
from tests.servers.pages_server import PagesServer, Said, pages_server

OPEN = "127.0.0.1"
CLOSED = "127.0.0.2"


class Names:
    """A resolver from a table: each name's answers in turn, the last one for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        try:
            return [str(ip_address(host))]
        except ValueError:
            given = self._answers.get(host)
            if given is None:
                raise OSError("no such name") from None
            return given.pop(0) if len(given) > 1 else given[0]


def egress(names: Names, *ports: int, tls: ssl.SSLContext | None = None, hosts: tuple[str, ...] = ()) -> Egress:
    rules = EgressRules(frozenset(hosts), (ip_network(f"{OPEN}/32"),), frozenset(ports))
    return Egress(rules, resolver=names, tls=tls)


@contextmanager
def outside_and_inside() -> Iterator[tuple[PagesServer, PagesServer]]:
    with pages_server(OPEN) as outside, pages_server(CLOSED, outside.port) as inside:
        inside.pages["/secret"] = inside.pages["/"] = Said(body=b"secret")
        yield outside, inside


def get(client: Egress, url: str, **more: object) -> bytes:
    return client.get(url, **{"max_bytes": 1000, "timeout_s": 5.0, **more}).body  # type: ignore[arg-type]


def refused(client: Egress, url: str, **more: object) -> Unprocessable:
    with pytest.raises(Unprocessable) as caught:
        get(client, url, **more)
    assert caught.value.code == "address_refused"
    return caught.value


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "4000::1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "198.20.0.1",
     "223.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)  # fmt: skip
def test_what_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706434/", "http://0x7f000002/", "http://0x7f.2/", "http://0177.0.0.2/", "http://127.2/",
        "http://127.0.0.2./", "http://127.0.0.2/", "http://[::ffff:127.0.0.2]/", "http://[::ffff:7f00:2]/",
        "http://[::1]/", "http://[fe80::1%25lo]/", "http://[64:ff9b::7f00:2]/", "http://[2002:7f00:2::]/",
        "http://open.test@127.0.0.2/", "http://127.0.0.2#@open.test/", "http://open.test\\@127.0.0.2/",
        "http://user:password@open.test/", "ftp://open.test/", "file:///etc/passwd", "gopher://open.test/",
        "//open.test/", "open.test", "", "http://", "http:///x", "http://open.test:99999/", "http://[::1",
        "http://open.test\r\nHost: 127.0.0.2/", "http://\u2460\u2461\u2466.0.0.2/", "http://169.254.169.254/latest/",
    ],
)  # fmt: skip
def test_no_notation_gets_inside(url: str) -> None:
    with outside_and_inside() as (outside, inside):
        # Port 80 is what these name; the rule about ports is not what refuses them here.
        refused(egress(Names(open_test=[[OPEN]]), 80, outside.port), url)
        assert outside.asked == inside.asked == []


def test_a_public_name_is_fetched_with_its_own_host_header() -> None:
    names = Names(open_test=[[OPEN]])
    with outside_and_inside() as (outside, _):
        outside.pages["/a"] = Said(body=b"hello")
        assert get(egress(names, outside.port), f"http://open.test:{outside.port}/a?b=c") == b"hello"
        assert outside.paths == ["/a?b=c"]
        assert outside.asked[0][1]["host"] == f"open.test:{outside.port}"


def test_a_name_that_changes_its_mind_after_the_check_gains_nothing() -> None:
    names = Names(rebind_test=[[OPEN], [CLOSED]])
    with outside_and_inside() as (outside, inside):
        outside.pages["/secret"] = Said(body=b"public")
        client = egress(names, outside.port)
        assert get(client, f"http://rebind.test:{outside.port}/secret") == b"public"
        assert names.asked == ["rebind.test"]  # once: nothing resolves it again behind our back
        refused(client, f"http://rebind.test:{outside.port}/secret")
        assert inside.asked == []


def test_one_inside_address_among_several_is_enough_to_refuse() -> None:
    with outside_and_inside() as (outside, inside):
        refused(egress(Names(both_test=[[OPEN, CLOSED]]), outside.port), f"http://both.test:{outside.port}/secret")
        assert outside.asked == inside.asked == []


def test_the_next_address_is_tried_if_one_does_not_answer() -> None:
    with pages_server(OPEN) as outside:
        outside.pages["/"] = Said(body=b"hello")
        client = Egress(
            EgressRules(networks=(ip_network("127.0.0.0/8"),), ports=frozenset({outside.port})),
            resolver=Names(two_test=[["127.0.0.3", OPEN]]),
        )
        assert get(client, f"http://two.test:{outside.port}/") == b"hello"


@pytest.mark.parametrize(
    "place", ["http://127.0.0.2:{port}/secret", "//127.0.0.2:{port}/secret", "http://in.test:{port}/"]
)
def test_a_redirect_is_judged_like_the_first_address(place: str) -> None:
    names = Names(open_test=[[OPEN]], in_test=[[CLOSED]])
    with outside_and_inside() as (outside, inside):
        outside.pages["/"] = Said(302, b"", {"Location": place.format(port=outside.port)})
        refused(egress(names, outside.port), f"http://open.test:{outside.port}/")
        assert inside.asked == []


def test_a_redirect_to_the_same_name_resolves_it_again_and_judges_that() -> None:
    with outside_and_inside() as (outside, inside):
        outside.pages["/"] = Said(302, b"", {"Location": "/secret"})
        refused(egress(Names(open_test=[[OPEN], [CLOSED]]), outside.port), f"http://open.test:{outside.port}/")
        assert inside.asked == []


def test_redirects_are_followed_so_often_and_drop_secrets_on_the_way_to_another_host() -> None:
    names = Names(open_test=[[OPEN]], other_test=[[OPEN]])
    with outside_and_inside() as (outside, _):
        base = f"http://open.test:{outside.port}"
        outside.pages["/1"] = Said(302, b"", {"Location": "/2"})
        outside.pages["/2"] = Said(307, b"", {"Location": f"http://other.test:{outside.port}/3"})
        outside.pages["/3"] = Said(body=b"end")
        outside.pages["/loop"] = Said(302, b"", {"Location": "/loop"})
        client = egress(names, outside.port)
        assert get(client, f"{base}/1", headers={"Authorization": "Bearer s", "Accept": "x/y"}) == b"end"
        assert ["authorization" in headers for _, headers in outside.asked] == [True, True, False]
        assert all(headers["accept"] == "x/y" for _, headers in outside.asked)
        with pytest.raises(Unavailable, match="redirects too often"):
            get(client, f"{base}/1", max_redirects=1)
        outside.asked.clear()
        with pytest.raises(Unavailable, match="redirects too often"):
            get(client, f"{base}/loop")
        assert len(outside.asked) == 6


def test_a_post_is_not_sent_on() -> None:
    with outside_and_inside() as (outside, _):
        outside.pages["/"] = Said(307, b"", {"Location": "/2"})
        answer = egress(Names(), outside.port).request(
            "POST", f"http://{OPEN}:{outside.port}/", content=b"x", max_bytes=10, timeout_s=5
        )
        assert (answer.status, outside.paths) == (307, ["/"])


def test_ports_are_closed_unless_opened() -> None:
    with outside_and_inside() as (outside, _):
        url = f"http://open.test:{outside.port}/"
        outside.pages["/"] = Said()
        names = Names(open_test=[[OPEN]])
        refused(egress(names, 80, 443), url)
        assert get(egress(names, outside.port), url) == b"ok"
        assert get(egress(names, 80), url, allow=[f"open.test:{outside.port}"]) == b"ok"


def test_a_host_that_an_administrator_allows_may_be_inside_but_no_other() -> None:
    names = Names(in_test=[[CLOSED]], also_test=[[CLOSED]])
    with outside_and_inside() as (outside, _):
        port = outside.port
        assert get(egress(names, port, hosts=("in.test",)), f"http://in.test:{port}/") == b"secret"
        assert get(egress(names), f"http://in.test:{port}/", allow=[f"in.test:{port}"]) == b"secret"
        refused(egress(names, port, hosts=("in.test",)), f"http://also.test:{port}/")
        refused(egress(names, port, hosts=("in.test",)), f"http://{CLOSED}:{port}/")


def test_too_much_too_slow_and_compressed_is_refused() -> None:
    with outside_and_inside() as (outside, _):
        outside.pages["/big"] = Said(body=b"x" * 1001)
        outside.pages["/fits"] = Said(body=b"x" * 1000)
        outside.pages["/drip"] = Said(body=b"x" * 100, drip_s=0.1)
        outside.pages["/zip"] = Said(headers={"Content-Encoding": "gzip"})
        client, base = egress(Names(), outside.port), f"http://{OPEN}:{outside.port}"
        assert len(get(client, f"{base}/fits")) == 1000
        for path, why in (("/big", "1,000 bytes"), ("/zip", "compressed")):
            with pytest.raises(Unavailable, match=why):
                get(client, base + path)
        with pytest.raises(Unavailable, match="Timeout"):  # although each byte comes in time
            get(client, f"{base}/drip", timeout_s=0.3)


def test_unknown_names_and_closed_doors_are_unavailable() -> None:
    with pages_server(OPEN) as outside:
        port = outside.port
    for url in (f"http://nobody.test:{port}/", f"http://{OPEN}:{port}/"):
        with pytest.raises(Unavailable) as caught:
            get(egress(Names(), port), url)
        assert caught.value.code == "remote_unavailable"


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with outside_and_inside() as (outside, inside):
        outside.pages["/"] = Said()
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{CLOSED}:{inside.port}")
        assert get(egress(Names(), outside.port), f"http://{OPEN}:{outside.port}/") == b"ok"
        assert inside.asked == []


def test_tls_checks_the_name_not_the_address(tmp_path: Path) -> None:
    server_side, client_side = certificate_for("open.test", tmp_path)
    names = Names(open_test=[[OPEN]], other_test=[[OPEN]])
    with pages_server(OPEN, tls=server_side) as outside:
        outside.pages["/"] = Said(body=b"safe")
        outside.pages["/down"] = Said(302, b"", {"Location": f"http://open.test:{outside.port}/"})
        client = egress(names, outside.port, tls=client_side)
        assert get(client, f"https://open.test:{outside.port}/") == b"safe"
        refused(client, f"https://open.test:{outside.port}/down")
        with pytest.raises(Unavailable):
            get(client, f"https://other.test:{outside.port}/")
        with pytest.raises(Unavailable):  # an authority that nobody knows
            get(egress(names, outside.port), f"https://open.test:{outside.port}/")
    assert outside.paths == ["/", "/down"]


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for this name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = folder / "server.pem"
    pem = serialization.Encoding.PEM
    chain.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain)
    return server_side, ssl.create_default_context(cadata=certificate.public_bytes(pem).decode())
