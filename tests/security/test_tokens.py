"""Access tokens: forged, misused, too old, too new. The issuer is a real server; time stands where the tests put it."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from kbcore.egress.client import Egress
from kbcore.egress.rules import EgressRules
from kbcore.errors import Unavailable
from kbcore.identity.keys import IssuerKeys
from kbcore.identity.refusal import TokenRefused
from kbcore.identity.tokens import MAX_TOKEN_BYTES, Expected, Tokens
from tests.servers.issuer import AUDIENCE, DISCOVERY, Issuer, assembled, issuer_server
from tests.servers.pages_server import Said

ELLIPTIC = ECKey.generate_key("P-256", {"kid": "elliptic"}, auto_kid=False)
ELLIPTIC_384 = ECKey.generate_key("P-384", {"kid": "elliptic-384"}, auto_kid=False)


class Clock:
    """Seconds, moved by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Gate:
    """What checks tokens, and its clocks: `wall` for the claims, `steady` for fetching keys."""

    def __init__(self, issuer: Issuer, algorithms: tuple[str, ...] = ("RS256", "ES256"), jwks_url: str = "") -> None:
        self.wall, self.steady = Clock(time.time()), Clock(0.0)
        egress = Egress(EgressRules())
        keys = IssuerKeys(egress, issuer.url, jwks_url=jwks_url, ttl_s=300, clock=self.steady)
        expected = Expected(issuer.url, AUDIENCE, algorithms, leeway_s=30, max_age_s=86_400)
        self.tokens = Tokens(keys, expected, remember_s=300, clock=self.wall)

    def subject(self, token: str) -> str:
        return self.tokens.read(token).subject

    def refused(self, token: str) -> str:
        with pytest.raises(TokenRefused) as caught:
            self.tokens.read(token)
        assert token not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuer_server() as running:
        yield running


@pytest.fixture
def gate(issuer: Issuer) -> Gate:
    return Gate(issuer)


def test_an_access_token_counts(issuer: Issuer, gate: Gate) -> None:
    issuer.published.append(ELLIPTIC)
    for token in (
        issuer.token(),
        issuer.token(key=ELLIPTIC, alg="ES256"),
        issuer.token(header={"typ": "at+jwt"}, typ=None),
        issuer.token(header={"typ": None, "x5t": "thumb", "nonce": "n"}, typ=None),
        issuer.token(aud=["others", AUDIENCE]),
        issuer.token(nonce="old Keycloak"),
        issuer.token(iat=time.time() - 0.5),  # with a fraction, as some issuers write it
    ):
        assert gate.subject(token) == "s-1"
    assert issuer.fetches == 1


NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": None}, "issuer"),
        ({"iss": "http://127.0.0.1:1"}, "issuer"),
        ({"iss": ["x"]}, "issuer"),
        ({"aud": None}, "audience"),
        ({"aud": "others"}, "audience"),
        ({"aud": ["others"]}, "audience"),
        ({"aud": f"{AUDIENCE}-2"}, "audience"),
        ({"aud": {AUDIENCE: 1}}, "audience"),
        ({"exp": None}, "no exp"),
        ({"exp": "9999999999"}, "no exp"),
        ({"exp": True}, "no exp"),
        ({"exp": float("inf")}, "no exp"),
        ({"exp": float("nan")}, "no exp"),
        ({"exp": 10**30}, "out of range"),
        ({"exp": NOW - 60}, "expired"),
        ({"iat": None}, "no iat"),
        ({"iat": NOW + 86_400}, "in the future"),
        ({"iat": NOW - 90_000}, "too long ago"),
        ({"nbf": NOW + 86_400}, "not valid yet"),
        ({"nbf": "soon"}, "no nbf"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "a\x00b"}, "subject"),
        ({"sub": "x" * 256}, "subject"),
        ({"typ": "ID"}, "no access token"),
        ({"typ": "Refresh"}, "no access token"),
        ({"typ": "Offline"}, "no access token"),
        ({"typ": "Logout"}, "no access token"),
        ({"token_use": "id"}, "no access token"),
        ({"typ": None, "at_hash": "h"}, "ID token"),
        ({"typ": None, "c_hash": "h"}, "ID token"),
        ({"typ": None, "nonce": "n", "scope": None}, "ID token"),
        ({"typ": None, "events": {}}, "ID token"),
    ],
)
def test_well_signed_tokens_that_do_not_count(issuer: Issuer, gate: Gate, claims: dict[str, Any], why: str) -> None:
    assert why in gate.refused(issuer.token(**claims))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 7},
        {"kid": None},
        {"kid": 7},
        {"kid": ""},
        {"kid": "../../dev/null"},
        {"kid": "' OR '1'='1"},
        {"kid": "first\x00"},
        {"kid": "FIRST"},
    ],
)
def test_headers_that_do_not_count(issuer: Issuer, gate: Gate, header: dict[str, Any]) -> None:
    parts = {"alg": "RS256", "kid": "first", "typ": "JWT"} | header
    signing = assembled({name: value for name, value in parts.items() if value is not None}, issuer.claims())
    signing = signing.rsplit(".", 1)[0]
    gate.refused(f"{signing}.{_rs256(issuer.rsa('first'), signing.encode())}")


def test_extensions_that_must_be_understood_are_refused(issuer: Issuer, gate: Gate) -> None:
    key = issuer.rsa("first")
    for more in ({"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True}):
        header = {"alg": "RS256", "kid": "first", **more}
        signing = assembled(header, issuer.claims()).rsplit(".", 1)[0]
        signature = _rs256(key, signing.encode())
        gate.refused(f"{signing}.{signature}")
    control = assembled({"alg": "RS256", "kid": "first"}, issuer.claims()).rsplit(".", 1)[0]
    assert gate.subject(f"{control}.{_rs256(key, control.encode())}") == "s-1"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_without_a_signature(issuer: Issuer, gate: Gate, alg: str) -> None:
    for kid in ({"kid": "first"}, {}):
        gate.refused(assembled({"alg": alg, **kid}, issuer.claims()))
        gate.refused(assembled({"alg": alg, **kid}, issuer.claims(), b"signature"))
    assert issuer.fetches == 0


def test_the_public_key_is_no_shared_secret(issuer: Issuer, gate: Gate) -> None:
    public = issuer.rsa("first")
    assert public.kid
    secrets = [
        public.as_pem(private=False),
        public.as_pem(private=False).strip(),
        public.as_der(private=False),
        json.dumps(public.as_dict(private=False)).encode(),
    ]
    for alg, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        for secret in secrets:
            signing = assembled({"alg": alg, "kid": "first", "typ": "JWT"}, issuer.claims()).rsplit(".", 1)[0]
            mac = hmac.new(secret, signing.encode(), digest).digest()
            gate.refused(assembled({"alg": alg, "kid": "first", "typ": "JWT"}, issuer.claims(), mac))


def test_a_shared_secret_among_the_published_keys_is_ignored(issuer: Issuer, gate: Gate) -> None:
    secret = OctKey.import_key(b"k" * 32, {"kid": "shared"})
    issuer.extra_keys.append(secret.as_dict(private=True))
    gate.refused(issuer.token(key=secret, alg="HS256"))  # type: ignore[arg-type]
    assert gate.subject(issuer.token()) == "s-1"


def test_an_algorithm_that_is_not_in_the_list(issuer: Issuer, gate: Gate) -> None:
    gate.refused(issuer.token(alg="RS384"))
    gate.refused(issuer.token(alg="PS256"))
    assert Gate(issuer, ("PS256",)).subject(issuer.token(alg="PS256")) == "s-1"


def test_a_key_checks_only_its_own_kind_of_algorithm(issuer: Issuer) -> None:
    issuer.published += [ELLIPTIC_384]
    both = Gate(issuer, ("RS256", "ES256", "ES384"))
    both.refused(issuer.token(header={"kid": "elliptic-384"}))  # RS256 made with the RSA key, naming the other
    both.refused(issuer.token(key=ELLIPTIC, alg="ES256", header={"kid": "first"}))
    both.refused(issuer.token(key=ELLIPTIC, alg="ES256", header={"kid": "elliptic-384"}))
    assert both.subject(issuer.token(key=ELLIPTIC_384, alg="ES384")) == "s-1"


def test_a_key_that_is_for_something_else_is_not_used(issuer: Issuer, gate: Gate) -> None:
    public = issuer.rsa("second").as_dict(private=False)
    issuer.extra_keys += [{**public, "use": "enc"}, {**public, "kid": "third", "alg": "RS512"}, {"kty": "RSA"}, "x"]  # type: ignore[list-item]
    gate.refused(issuer.token(key=issuer.rsa("second")))
    gate.refused(issuer.token(key=issuer.rsa("second"), header={"kid": "third"}))
    assert gate.subject(issuer.token()) == "s-1"


def test_keys_that_a_token_brings_along_are_not_looked_at(issuer: Issuer, gate: Gate) -> None:
    attacker = issuer.rsa("attacker")
    issuer.server.pages["/evil"] = Said(body=json.dumps({"keys": [attacker.as_dict(private=False)]}).encode())
    evil = f"{issuer.url}/evil"
    for brought in ({"jwk": attacker.as_dict(private=False)}, {"jku": evil}, {"x5u": evil}, {"x5c": ["AA=="]}):
        for kid in ("attacker", "first", evil):
            gate.refused(issuer.token(key=attacker, header={"kid": kid, **brought}))
        assert gate.subject(issuer.token(header=brought)) == "s-1"
    assert "/evil" not in issuer.server.paths


def test_a_changed_token_is_refused_at_any_place(issuer: Issuer, gate: Gate) -> None:
    head, body, signature = issuer.token().split(".")
    other = issuer.token(sub="s-2").split(".")[1]
    gate.refused(f"{head}.{other}.{signature}")
    gate.refused(f"{head}.{body}.")
    gate.refused(f"{head}.{body}.{'A' * len(signature)}")
    gate.refused(f"{head}..{signature}")
    gate.refused(f".{body}.{signature}")
    gate.refused("..")
    gate.refused(f"{head}.{body}.{signature}.{signature}")
    gate.refused(issuer.token(key=issuer.rsa("attacker"), header={"kid": "first"}))


def test_payloads_that_are_no_objects(issuer: Issuer, gate: Gate) -> None:
    key = issuer.rsa("first")
    for payload in ([], "x", 7, None):
        signing = assembled({"alg": "RS256", "kid": "first"}, payload).rsplit(".", 1)[0]
        gate.refused(f"{signing}.{_rs256(key, signing.encode())}")


def test_a_token_may_be_so_long(issuer: Issuer, gate: Gate) -> None:
    assert gate.subject(issuer.token(groups=["g" * 36] * 200)) == "s-1"
    long = issuer.token(groups=["g" * 36] * 400)
    assert len(long) > MAX_TOKEN_BYTES
    assert gate.refused(long) == "too long, or not ASCII"


def test_a_remembered_token_still_ends(issuer: Issuer, gate: Gate) -> None:
    token = issuer.token()
    assert gate.tokens.read(token).fresh
    assert not gate.tokens.read(token).fresh
    gate.wall.now += 400
    assert "expired" in gate.refused(token)


def test_keys_rotate_and_old_ones_end(issuer: Issuer, gate: Gate) -> None:
    old = issuer.token()
    assert gate.subject(old) == "s-1"
    issuer.published[:] = [issuer.rsa("second")]
    gate.refused(issuer.token(key=issuer.rsa("second")))  # asked a moment ago
    gate.steady.now += 11
    assert gate.subject(issuer.token(key=issuer.rsa("second"))) == "s-1"
    gate.refused(issuer.token(sub="new"))  # the first key is gone
    assert gate.subject(old) == "s-1"  # checked before, remembered for at most `jwks_ttl_s`
    gate.wall.now += 301
    gate.refused(old)
    assert issuer.fetches == 2


def test_made_up_key_ids_do_not_hammer_the_issuer(issuer: Issuer, gate: Gate) -> None:
    for number in range(50):
        gate.refused(issuer.token(key=issuer.rsa("attacker"), header={"kid": f"made-up-{number}"}))
    assert issuer.fetches == 1
    gate.steady.now += 11
    gate.refused(issuer.token(header={"kid": "made-up"}))
    assert issuer.fetches == 2


def test_requests_that_come_together_share_one_fetch(issuer: Issuer, gate: Gate) -> None:
    entered, go = threading.Event(), threading.Event()
    keys = issuer.server.pages["/keys"]

    def slow() -> Said:
        entered.set()
        go.wait(5)
        return keys()  # type: ignore[operator]

    issuer.server.pages["/keys"] = slow
    token, subjects = issuer.token(), []
    threads = [threading.Thread(target=lambda: subjects.append(gate.subject(token))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert entered.wait(5)
    go.set()
    for thread in threads:
        thread.join(5)
    assert subjects == ["s-1"] * 8
    assert issuer.fetches == 1


def test_an_outage_is_said_and_is_over_when_it_is(issuer: Issuer, gate: Gate) -> None:
    issuer.down = True
    with pytest.raises(Unavailable) as caught:
        gate.subject(issuer.token())
    assert caught.value.code == "identity_provider_unavailable"
    assert caught.value.status == 503
    asked = len(issuer.server.asked)
    with pytest.raises(Unavailable):
        gate.subject(issuer.token())
    assert len(issuer.server.asked) == asked  # no second try within ten seconds
    issuer.down = False
    gate.steady.now += 11
    assert gate.subject(issuer.token()) == "s-1"


def test_keys_outlive_an_outage_but_not_a_long_one(issuer: Issuer, gate: Gate) -> None:
    assert gate.subject(issuer.token()) == "s-1"
    issuer.down = True
    gate.steady.now += 400
    assert gate.subject(issuer.token(sub="s-2")) == "s-2"
    gate.refused(issuer.token(header={"kid": "unknown"}))  # there are keys: it is the token that is wrong
    gate.steady.now += 400
    with pytest.raises(Unavailable):
        gate.subject(issuer.token(sub="s-3"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"not json", b'{"keys": 7}', b"x" * 1_000_001])
def test_rubbish_in_place_of_keys_is_an_outage(issuer: Issuer, gate: Gate, body: bytes) -> None:
    issuer.server.pages["/keys"] = Said(body=body)
    with pytest.raises(Unavailable):
        gate.subject(issuer.token())


def test_metadata_of_another_issuer_is_an_outage(issuer: Issuer, gate: Gate) -> None:
    described = {"issuer": "http://127.0.0.1:1", "jwks_uri": f"{issuer.url}/keys"}
    issuer.server.pages[DISCOVERY] = Said(body=json.dumps(described).encode())
    with pytest.raises(Unavailable):
        gate.subject(issuer.token())


def test_a_redirect_to_other_keys_is_not_followed(issuer: Issuer, gate: Gate) -> None:
    issuer.server.pages["/other"] = issuer.server.pages["/keys"]
    issuer.server.pages["/keys"] = Said(302, b"", {"Location": "/other"})
    with pytest.raises(Unavailable):
        gate.subject(issuer.token())
    assert "/other" not in issuer.server.paths


def test_a_discovered_address_may_not_be_inside(issuer: Issuer, gate: Gate) -> None:
    described = {"issuer": issuer.url, "jwks_uri": f"http://127.0.0.2:{issuer.server.port}/keys"}
    issuer.server.pages[DISCOVERY] = Said(body=json.dumps(described).encode())
    with pytest.raises(Unavailable):
        gate.subject(issuer.token())


def test_keys_at_an_address_that_was_set_need_no_discovery(issuer: Issuer) -> None:
    set_by_hand = Gate(issuer, jwks_url=f"{issuer.url}/keys")
    assert set_by_hand.subject(issuer.token()) == "s-1"
    assert issuer.server.paths == ["/keys"]


def _rs256(key: Any, signing: bytes) -> str:
    from joserfc.jws import JWSRegistry
    from joserfc.util import urlsafe_b64encode

    return urlsafe_b64encode(JWSRegistry.algorithms["RS256"].sign(signing, key)).decode()
