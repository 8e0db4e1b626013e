"""Every store of heads keeps the promises of `kbcore.audit.heads.HeadStore`."""

import resource
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from kbcore.audit.chain import ChainKey, ChainKeys
from kbcore.audit.head_file import HeadFile
from kbcore.audit.heads import Head, HeadStore
from kbcore.blobs.s3_client import S3Client
from kbcore.blobs.s3_heads import S3Heads
from kbcore.errors import Unavailable

KEY = ChainKey(b"k" * 32)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def head(seq: int) -> Head:
    return Head.signed(KEY, seq, bytes([seq % 256]) * 32, BEGINNING + timedelta(seconds=seq))


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["file", "s3"])
def heads(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HeadStore]:
    if request.param == "file":
        yield HeadFile(tmp_path / "audit")
        return
    import boto3

    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = f"heads-{uuid4()}"
    keys = {"aws_access_key_id": "zhiku", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    with closing(boto3.client("s3", endpoint_url=endpoint, **keys)) as client:
        client.create_bucket(Bucket=bucket)
    client = S3Client(endpoint=endpoint, region="us-east-1", access_key="zhiku", secret_key="secret")
    with closing(S3Heads(bucket, client)) as store:
        yield store


def test_heads_are_read_in_the_order_of_their_export(heads: HeadStore) -> None:
    assert heads.last() is None
    assert list(heads.read()) == []
    written = [head(seq) for seq in (1, 9, 10, 100, 2000)]
    for each in written:
        heads.write(each)
        assert heads.last() == each
    assert list(heads.read()) == written
    assert all(each is not None and each.is_genuine(ChainKeys(KEY)) for each in heads.read())


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path: Path) -> None:
    store = HeadFile(tmp_path)
    store.write(head(1))
    size = (tmp_path / "heads.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
    try:
        with pytest.raises(Unavailable):
            store.write(head(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "heads.jsonl").stat().st_size == size
    store.write(head(3))
    assert list(store.read()) == [head(1), head(3)]


def test_a_changed_head_is_not_genuine(heads: HeadStore) -> None:
    heads.write(replace(head(7), mac=b"x" * 32))
    (read,) = heads.read()
    assert read is not None
    assert not read.is_genuine(ChainKeys(KEY))


def test_a_head_of_another_key_is_not_genuine_until_that_key_is_known() -> None:
    other = ChainKey(b"o" * 32)
    assert not head(1).is_genuine(ChainKeys(other))
    assert head(1).is_genuine(ChainKeys(other, [KEY]))


@pytest.mark.parametrize("field", ["seq", "at", "mac_key"])
def test_every_part_of_a_head_is_signed(field: str) -> None:
    changed = {"seq": 8, "at": BEGINNING, "mac_key": ChainKey(b"o" * 32).fingerprint}
    assert not replace(head(7), **{field: changed[field]}).is_genuine(ChainKeys(KEY, [ChainKey(b"o" * 32)]))


def test_a_line_that_a_killed_process_left_does_not_swallow_the_next(tmp_path: Path) -> None:
    store = HeadFile(tmp_path)
    store.write(head(1))
    with (tmp_path / "heads.jsonl").open("ab") as file:
        file.write(b'{"seq": 2, "ma')
    assert store.last() is None
    store.write(head(3))
    assert list(store.read()) == [head(1), None, head(3)]
    assert store.last() == head(3)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("not a folder")
    with pytest.raises(Unavailable, match="audit heads"):
        HeadFile(tmp_path / "audit").write(head(1))


def test_a_bucket_that_does_not_answer_is_said() -> None:
    client = S3Client(endpoint="http://127.0.0.1:9", region="us-east-1", access_key="a", secret_key="b")
    with closing(S3Heads("heads", client)) as store, pytest.raises(Unavailable):
        store.write(head(1))
