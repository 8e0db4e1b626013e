"""Heads of the audit log in a bucket: one object each, named by its place, so that they list in order.

A bucket with object lock (compliance mode) keeps them even from whoever has its keys.
"""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

from kbcore.audit.heads import Head
from kbcore.blobs.s3_client import S3Client
from kbcore.errors import NotFound

_PREFIX = "audit-heads/"
_MOST_BYTES = 4096


class S3Heads:
    """Objects `audit-heads/<place, 20 digits>.json` in one bucket."""

    def __init__(self, bucket: str, client: S3Client) -> None:
        self._bucket = bucket
        self._client = client

    def write(self, head: Head) -> None:
        """See `HeadStore.write`."""
        body = json.dumps(head.to_json(), sort_keys=True).encode()
        with self._client.use() as client:
            client.put_object(
                Bucket=self._bucket, Key=f"{_PREFIX}{head.seq:020d}.json", Body=body, ContentType="application/json"
            )

    def read(self) -> Iterator[Head | None]:
        """See `HeadStore.read`: page by page."""
        for key in self._keys():
            yield self._head(key)

    def last(self) -> Head | None:
        """See `HeadStore.last`. Lists the whole prefix, 1,000 names a request."""
        newest = deque(self._keys(), maxlen=1)
        return self._head(newest[0]) if newest else None

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def _keys(self) -> Iterator[str]:
        with self._client.use() as client:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_PREFIX):
                for item in page.get("Contents", ()):
                    yield str(item["Key"])

    def _head(self, key: str) -> Head | None:
        try:
            with self._client.use() as client:
                body: Any = client.get_object(Bucket=self._bucket, Key=key)["Body"]
                with body:
                    raw = body.read(_MOST_BYTES)
            head = Head.from_json(json.loads(raw))
        except (NotFound, ValueError, KeyError, TypeError):
            return None
        return head if key == f"{_PREFIX}{head.seq:020d}.json" else None
