"""Every blob store keeps the promises of `kbcore.blobs.interface.BlobStore`."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from kbcore.blobs.filesystem import ABANDONED_S, FilesystemBlobs
from kbcore.blobs.interface import BlobStore
from kbcore.blobs.s3 import S3Blobs
from kbcore.errors import NotFound, TooLarge, Unavailable

MEBIBYTE = 1 << 20
UNKNOWN = "0" * 64
SECRET_KEY = "s3-secret-key"


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A server with the API of S3, on a free port."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def s3_blobs(endpoint: str, bucket: str) -> Iterator[S3Blobs]:
    blobs = S3Blobs(bucket, endpoint=endpoint, region="us-east-1", access_key="zhiku", secret_key=SECRET_KEY)
    with closing(blobs):
        yield blobs


@pytest.fixture(params=["filesystem", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "filesystem":
        yield FilesystemBlobs(tmp_path / "blobs")
        return
    import boto3

    endpoint = request.getfixturevalue("s3_endpoint")
    keys = {"aws_access_key_id": "zhiku", "aws_secret_access_key": SECRET_KEY, "region_name": "us-east-1"}
    bucket = f"documents-{uuid4()}"
    with closing(boto3.client("s3", endpoint_url=endpoint, **keys)) as client:
        client.create_bucket(Bucket=bucket)
    with s3_blobs(endpoint, bucket) as store:
        yield store


def content(blobs: BlobStore, sha256: str) -> bytes:
    return b"".join(blobs.open(sha256))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=5000), max_size=6))
def test_what_is_put_is_what_is_read(blobs: BlobStore, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    stored = blobs.put(iter(parts), max_bytes=len(whole))
    assert (stored.sha256, stored.size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert content(blobs, stored.sha256) == whole


def test_large_ones_come_in_parts(blobs: BlobStore) -> None:
    part = os.urandom(MEBIBYTE)
    stored = blobs.put([part] * 10, max_bytes=10 * MEBIBYTE)
    parts = list(blobs.open(stored.sha256))
    assert max(map(len, parts)) <= MEBIBYTE
    assert b"".join(parts) == part * 10


def test_the_same_bytes_twice_are_one_blob(blobs: BlobStore) -> None:
    assert blobs.put([b"ab", b"c"], max_bytes=3) == blobs.put([b"abc"], max_bytes=3)
    with ThreadPoolExecutor(4) as pool:
        stored = set(pool.map(lambda _: blobs.put([b"together"], max_bytes=8), range(8)))
    assert len(stored) == 1
    assert content(blobs, stored.pop().sha256) == b"together"


def test_past_the_limit_nothing_is_kept(blobs: BlobStore) -> None:
    with pytest.raises(TooLarge, match="3 bytes"):
        blobs.put(iter([b"ab", b"cd"]), max_bytes=3)
    for kept in (b"ab", b"abc", b"abcd"):
        with pytest.raises(NotFound):
            blobs.open(hashlib.sha256(kept).hexdigest())


def test_a_stream_that_breaks_leaves_nothing(blobs: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        blobs.put(broken(), max_bytes=100)
    with pytest.raises(NotFound):
        blobs.open(hashlib.sha256(b"first").hexdigest())


def test_unknown_is_not_found_before_the_first_byte(blobs: BlobStore) -> None:
    with pytest.raises(NotFound):
        blobs.open(UNKNOWN)
    with pytest.raises(NotFound), blobs.local(UNKNOWN):
        pass


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, f"{'0' * 64}\n", "a/" * 32])
def test_only_a_hash_is_a_key(blobs: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="64"):
        blobs.open(key)
    with pytest.raises(ValueError, match="64"):
        blobs.delete(key)
    with pytest.raises(ValueError, match="64"):
        blobs.exists(key)
    with pytest.raises(ValueError, match="64"), blobs.local(key):
        pass


def test_local_is_a_file_with_the_bytes(blobs: BlobStore) -> None:
    stored = blobs.put([b"a document"], max_bytes=100)
    with blobs.local(stored.sha256) as path:
        assert path.read_bytes() == b"a document"
        assert path.stat().st_mode & 0o077 == 0
    assert content(blobs, stored.sha256) == b"a document"


def test_deleted_is_gone_and_may_be_deleted_again(blobs: BlobStore) -> None:
    stored = blobs.put([b"bytes"], max_bytes=5)
    blobs.delete(stored.sha256)
    blobs.delete(stored.sha256)
    with pytest.raises(NotFound):
        blobs.open(stored.sha256)


def test_a_blob_deleted_before_it_is_read_is_not_found(blobs: BlobStore) -> None:
    stored = blobs.put([b"bytes"], max_bytes=5)
    parts = blobs.open(stored.sha256)
    blobs.delete(stored.sha256)
    with pytest.raises(NotFound):
        next(parts)


def test_what_is_stored_is_listed_and_nothing_else(blobs: BlobStore) -> None:
    blobs.ping()
    assert list(blobs.keys()) == []
    began = datetime.now(UTC) - timedelta(seconds=5)  # S3 counts whole seconds, and its clock is another
    stored = {blobs.put([content], max_bytes=5).sha256 for content in (b"one", b"two", b"three")}
    gone = stored.pop()
    blobs.delete(gone)
    kept = list(blobs.keys())
    assert {blob.sha256 for blob in kept} == stored
    assert all(began < blob.stored_at < datetime.now(UTC) + timedelta(seconds=5) for blob in kept)
    assert [blobs.exists(key) for key in (*stored, gone)] == [True, True, False]


def test_storing_again_makes_a_blob_young(blobs: BlobStore) -> None:
    blobs.put([b"bytes"], max_bytes=5)
    (first,) = blobs.keys()
    time.sleep(1.1)  # the resolution of S3's times
    blobs.put([b"bytes"], max_bytes=5)
    (again,) = blobs.keys()
    assert again.stored_at > first.stored_at


def test_ping_of_a_working_store(blobs: BlobStore) -> None:
    blobs.ping()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    stored = FilesystemBlobs(folder).put([b"bytes"], max_bytes=5)
    (file,) = files_below(folder)
    assert file == folder / stored.sha256[:2] / stored.sha256[2:4] / stored.sha256
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")] if path.is_dir()} == {0o700}


def test_refused_and_broken_uploads_leave_no_file(tmp_path: Path) -> None:
    blobs = FilesystemBlobs(tmp_path)
    with pytest.raises(TooLarge):
        blobs.put([b"abcd"], max_bytes=3)
    assert files_below(tmp_path) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    blobs = FilesystemBlobs(tmp_path)
    blobs.ping()
    old, young = tmp_path / "incoming" / "upload-old", tmp_path / "incoming" / "upload-young"
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - ABANDONED_S - 60
    os.utime(old, (long_ago, long_ago))
    blobs.put([b"bytes"], max_bytes=5)
    assert not old.exists()
    assert young.exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kbcore.blobs.filesystem import FilesystemBlobs
from kbcore.errors import Unavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    FilesystemBlobs(Path(sys.argv[1])).put([bytes(60_000)] * 3, max_bytes=1_000_000)
except Unavailable as error:
    print(error.detail)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """The process may write no file beyond 100 kB, which to it is a disk without room."""
    folder = tmp_path / "blobs"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("The disk that stores uploaded files is full. Free some space")
    assert str(tmp_path) not in done.stdout
    assert files_below(folder) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blobs = FilesystemBlobs(tmp_path / "file" / "blobs")
    for call in (blobs.ping, lambda: blobs.put([b"x"], max_bytes=1)):
        with pytest.raises(Unavailable, match="Not a directory"):
            call()


def test_a_bucket_that_is_missing_is_said(s3_endpoint: str) -> None:
    with s3_blobs(s3_endpoint, "nowhere") as blobs:
        for call in (blobs.ping, lambda: blobs.put([b"x"], max_bytes=1)):
            with pytest.raises(Unavailable, match="NoSuchBucket"):
                call()


def test_a_store_that_does_not_answer_is_said() -> None:
    with (
        s3_blobs("http://127.0.0.1:1", "documents") as blobs,
        pytest.raises(Unavailable, match="does not answer") as caught,
    ):
        blobs.ping()
    assert SECRET_KEY not in str(caught.value)
