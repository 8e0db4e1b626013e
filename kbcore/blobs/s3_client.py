"""A client of S3 or anything that speaks its API, made at its first use; vendor's errors made ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from kbcore.errors import ConfigurationError, NotFound, Unavailable


class S3Client:
    """One client for all threads (it is thread-safe, making one is not)."""

    def __init__(self, *, endpoint: str, region: str, access_key: str, secret_key: str) -> None:
        """Empty `endpoint` = AWS; empty keys = the credentials that the machine itself has."""
        self._options = {
            "endpoint_url": endpoint or None,
            "region_name": region,
            "aws_access_key_id": access_key or None,
            "aws_secret_access_key": secret_key or None,
        }
        self._lock = Lock()
        self._made: Any = None

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The client of boto3. Raises `NotFound`, `Unavailable` in place of its errors."""
        with self._lock:
            if self._made is None:
                self._made = _make_client(self._options)
        with _s3_errors():
            yield self._made

    def close(self) -> None:
        """Give back the connections; the next use makes new ones."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None


def _make_client(options: dict[str, str | None]) -> Any:
    try:
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError("blobs.kind is `s3`, which needs boto3: pip install 'zhiku[s3]'") from None
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path" if options["endpoint_url"] else "auto"},
        # Servers other than AWS do not know the checksums that boto3 sends by itself since 1.36.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", config=config, **options)


@contextmanager
def _s3_errors() -> Iterator[None]:
    """Vendor's errors to ours; the text names the bucket's answer, never a key or an address."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        if code in {"404", "NoSuchKey", "NotFound"}:
            raise NotFound("blob") from None
        raise Unavailable(f"The object store refuses: {code}. Check the settings under [blobs].") from error
    except BotoCoreError as error:
        raise Unavailable(f"The object store does not answer ({type(error).__name__}).") from error
