"""Settings of the servers: the API itself, PostgreSQL, Redis, Milvus, files, logs."""

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from kbcore.settings.section import Section, Words


class ServerSettings(Section):
    """Where the API listens and what it accepts."""

    host: str
    port: int = Field(ge=0, le=65535)
    threads: int = Field(ge=1)
    max_body_bytes: int = Field(ge=1)
    max_upload_bytes: int = Field(ge=1)
    trusted_proxies: Words

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        """A misspelt one would silently be trusted never."""
        for word in words:
            ip_network(word)
        return words


class DatabaseSettings(Section):
    """PostgreSQL."""

    url: SecretStr
    pool_size: int = Field(ge=1)


class RedisSettings(Section):
    """Redis: the broker."""

    url: SecretStr


class MilvusSettings(Section):
    """Milvus; the embedded one is Milvus Lite's own server."""

    uri: str
    token: SecretStr
    prefix: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    flush_rows: int = Field(ge=1)


class BlobSettings(Section):
    """Original bytes: a folder (default `<home>/blobs`) or an S3 bucket."""

    kind: Literal["filesystem", "s3"]
    folder: str
    bucket: str
    endpoint: str
    region: str
    access_key: SecretStr
    secret_key: SecretStr


class LogSettings(Section):
    """Logs go to standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    json_lines: bool
