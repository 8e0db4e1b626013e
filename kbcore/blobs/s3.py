"""Blobs in S3 or anything that speaks its API (MinIO, Ceph, R2). Needs the extra `s3`."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kbcore.blobs.interface import KeptBlob, StoredBlob
from kbcore.blobs.s3_client import S3Client
from kbcore.blobs.spool import PART_BYTES, blob_place, is_blob_key, spooled, storage_errors
from kbcore.errors import NotFound

PING_KEY = "ping"


class S3Blobs:
    """Objects `ab/cd/<sha256>` in one bucket. A stream is spooled to a local file first, for its hash is its key."""

    def __init__(self, bucket: str, *, endpoint: str, region: str, access_key: str, secret_key: str) -> None:
        """Empty `endpoint` = AWS; empty keys = the credentials that the machine itself has."""
        self._bucket = bucket
        self._client = S3Client(endpoint=endpoint, region=region, access_key=access_key, secret_key=secret_key)

    def put(self, parts: Iterable[bytes], *, max_bytes: int) -> StoredBlob:
        """See `BlobStore.put`; an object becomes visible only when it is complete."""
        with spooled(parts, max_bytes=max_bytes) as (path, stored):
            with storage_errors():
                file = path.open("rb")
            with file, self._client.use() as client:
                client.upload_fileobj(file, self._bucket, blob_place(stored.sha256))
        return stored

    def open(self, sha256: str) -> Iterator[bytes]:
        """See `BlobStore.open`."""
        key = blob_place(sha256)
        with self._client.use() as client:
            client.head_object(Bucket=self._bucket, Key=key)
        return self._read(key)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """See `BlobStore.local`: a downloaded copy, removed afterwards."""
        parts = self.open(sha256)
        with tempfile.TemporaryDirectory(prefix="blob-") as folder:
            path = Path(folder) / sha256
            with storage_errors():
                path.touch(mode=0o600)
                with path.open("wb") as file:
                    file.writelines(parts)
            yield path

    def exists(self, sha256: str) -> bool:
        """See `BlobStore.exists`."""
        try:
            with self._client.use() as client:
                client.head_object(Bucket=self._bucket, Key=blob_place(sha256))
        except NotFound:
            return False
        return True

    def keys(self) -> Iterator[KeptBlob]:
        """See `BlobStore.keys`: page by page."""
        with self._client.use() as client:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
                for item in page.get("Contents", ()):
                    name = item["Key"].rpartition("/")[2]
                    if is_blob_key(name) and item["Key"] == blob_place(name):
                        yield KeptBlob(name, item["LastModified"])

    def delete(self, sha256: str) -> None:
        """See `BlobStore.delete`."""
        with self._client.use() as client:
            client.delete_object(Bucket=self._bucket, Key=blob_place(sha256))

    def ping(self) -> None:
        """See `BlobStore.ping`: writes an empty object, for a bucket may be readable only."""
        with self._client.use() as client:
            client.put_object(Bucket=self._bucket, Key=PING_KEY, Body=b"")

    def _read(self, key: str) -> Iterator[bytes]:
        with self._client.use() as client:
            body = client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from body.iter_chunks(PART_BYTES)

    def close(self) -> None:
        """Give back the connections; the next use makes new ones."""
        self._client.close()
