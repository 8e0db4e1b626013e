"""Certificates can be verified, and only unchanged ones."""

import base64
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kbcore.errors import ConfigurationError
from kbcore.signing import Signer, canonical, verify

SEED = base64.b64encode(bytes(range(32))).decode()
DOCUMENT = {"b": 1, "a": ["年假", {"z": None, "y": True}]}


def test_a_signed_document_verifies_also_after_a_round_trip() -> None:
    signed = Signer.from_text(SEED).sign(DOCUMENT)
    assert verify(signed)
    assert verify(json.loads(json.dumps(signed, indent=2)))
    assert {name: signed[name] for name in DOCUMENT} == DOCUMENT


def test_the_signed_form_is_canonical() -> None:
    assert canonical({**DOCUMENT, "signature": "x"}) == '{"a":["年假",{"y":true,"z":null}],"b":1}'.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"b": 2},
        {"c": 0},
        {"signature": ""},
        {"signature": "not base64!"},
        {"public_key": base64.b64encode(bytes(32)).decode()},
        {"public_key": "AAAA"},
        {"public_key": 7},
    ],
)
def test_a_changed_document_does_not_verify(change: dict[str, object]) -> None:
    assert not verify({**Signer.from_text(SEED).sign(DOCUMENT), **change})


def test_an_unsigned_document_does_not_verify() -> None:
    assert not verify(DOCUMENT)


def test_a_foreign_signature_under_our_key_does_not_verify() -> None:
    foreign = Signer.from_text(base64.b64encode(bytes(32)).decode()).sign(DOCUMENT)
    assert not verify({**foreign, "public_key": Signer.from_text(SEED).public_key})


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is not here")
def test_openssl_agrees(tmp_path: Path) -> None:
    """Another implementation verifies what we sign."""
    signed = Signer.from_text(SEED).sign(DOCUMENT)
    prefix = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo of Ed25519 (RFC 8410)
    (tmp_path / "key").write_bytes(prefix + base64.b64decode(signed["public_key"]))
    (tmp_path / "signature").write_bytes(base64.b64decode(signed["signature"]))
    (tmp_path / "document").write_bytes(canonical(signed))
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in document -sigfile signature"
    done = subprocess.run(command.split(), check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_key_is_made_once_whoever_begins(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "erasure.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Signer.from_file(path).public_key, range(8)))
    assert len(keys) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["erasure.key"]


@pytest.mark.parametrize("text", ["short", "AAAA", "!" * 44])
def test_a_wrong_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    for make in (lambda: Signer.from_text(text), lambda: Signer.from_file(tmp_path / "key")):
        with pytest.raises(ConfigurationError, match="base64 of 32 bytes") as refused:
            make()
        assert text not in refused.value.detail


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"erasure\.signing_key"):
        Signer.from_file(tmp_path / "file" / "erasure.key")
